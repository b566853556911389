"""For learners: the experiments of the papers, and exercises that answer back."""
