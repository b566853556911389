"""The proof: gradients checked against slopes, and what is said of a wrong one."""
