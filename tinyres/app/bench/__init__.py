"""How fast is it? `tinyres bench` measures the machine, each convolution and the whole training step.

stopwatch   how a time is taken
machine     the processor, and its two roofs: multiply-adds and memory
layers      each distinct convolution of a model, forward and both gradients
step        the whole training step, and the forward pass alone
loop        what batches, optimiser and metrics take beside the network
suite       all of these in order, each in a process of its own (processes)
report      the tables          roofline   the picture

The comparison with torch and the measurements on a GPU are in bench/, at the root of the repository.
"""
