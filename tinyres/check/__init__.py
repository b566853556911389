"""The proof: gradients checked against slopes, and a diagnosis of wrong ones."""
