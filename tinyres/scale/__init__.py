"""Training on more than one processor: several processes that share every batch, and steps recorded on a GPU.

team.py        the loop of several processes, with parallel/ below it
captured.py    the loop of steps that a GPU repeats from a recording; recordable.py says which ones it can repeat
gpus.py        which GPU a process uses; its streams and its recorder
precision.py   how exactly a GPU multiplies
"""
