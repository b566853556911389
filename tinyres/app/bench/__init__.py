"""How fast is it? `tinyres bench` measures the machine, each convolution, the whole training step, and torch beside it.

stopwatch   how a time is taken, here and in torch's twin
machine     the processor, and its two roofs: multiply-adds and memory
layers      each distinct convolution of a model, forward and both gradients
step        the whole training step, and the forward pass alone
loop        what batches, optimiser and metrics take beside the network
torch_twin  the same network in torch; the only file that imports it
compare     all of it, in processes of their own, ours and torch's in turns
report      the table          roofline   the picture
"""
