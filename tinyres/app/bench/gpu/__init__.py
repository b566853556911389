"""`tinyres bench --device cuda`: everything that there is to know of a card, in one call.

sections     all of it in order: the only file that need be read first
worker       a process for a section, and what becomes of it when it breaks
recording    which kernels a step calls, and with what
correctness  every kernel against float64 on the CPU
roofs        what the card can do at most: bytes, and multiply-adds of each kind
kernels      how long each kernel of a training step takes
training     the whole training step
torch_steps  the same in torch, in every way that makes it fast
paper        the paper's own recipe, in full
report       the tables, and the short one at the end
"""
