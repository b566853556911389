"""Measurements that need more than tinyres: torch beside it, a GPU, several processes. They run from a checkout.

`python -m bench COMMAND`, at the root of the repository; the installed package has `tinyres bench` alone.

compare        `bench torch`: the training step, ours and torch's in turns
torch_twin     the same network and step in torch, its modules made by torch_modules
gpu/           `bench gpu`: kernels and training on a GPU; `bench sass`: what to expect of them, without one
allreduce      `bench allreduce`: how long a message between the ranks takes
cluster        what training on N ranks costs in messages, by formulas
"""
