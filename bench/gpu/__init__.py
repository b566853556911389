"""`python -m bench gpu`: is every kernel right, and how fast are the kernels and the training on this GPU?

sections     runs all the others in order: start reading here
worker       runs a section in a process of its own, and survives its crash
recording    which kernels a step calls, and with which arguments
correctness  every kernel against float64 on the CPU
roofs        the GPU's limits: bytes copied, and multiply-adds of each kind, per second
kernels      how long each kernel of a training step takes
training     how long the whole training step takes
epochs       how long an epoch takes, its host's work included
torch_steps  the same step in torch, made fast in several ways
paper        a run of the paper's own recipe
report       the tables, and the summary at the end

card.sh      all of it on a GPU that is there for minutes, besides tests and profiles: one_step and launches are for ncu

ruler        how long convolutions should take by their instructions, without a GPU: `python -m bench sass`
sass         these instructions
"""
