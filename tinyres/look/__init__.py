"""Tools that watch a network: its layers, time and memory, the origin of a NaN, and pictures and pages of it."""
