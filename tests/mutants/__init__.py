"""Planted bugs, by which the test suite proves that it can fail.

A mutant is a module of ours with one thing wrong in it. Each is tried in a process of its own (trial.py), where the
suite's real tests run on it; when one of them fails, the mutant is killed. One that survives is a gap in the suite.

    planted_*.py     written by hand: the mistakes one makes in a backward pass, a kernel, the engine, an optimiser
    drawn.py         found in the source by machine, where nobody chose: + made -, an argument swapped, a line left out
    detectors.py     the kinds of check, and which tests belong to each
    page.py          the kill matrix; it stands in docs/mutants.md, written by `python tests/make_mutants.py`

    pytest                              tries every mutant until its first kill
    pytest -m "mutants and not slow"    these alone; prints who killed whom
    pytest -m mutants                   with those of the large compiled kernels, minutes each

How a new check proves that it can fail: write the bug it is meant to catch. One entry in a planted_*.py, a sentence
that names the bug, the module, the text that is there (once) and the text in its place:

    Planted("tanh: the square is forgotten", "tinyres.ops.tanh", "(1 - y * y)", "(1 - y)"),

then `pytest tests/mutants -k "square is forgotten"`, and once it dies `python tests/make_mutants.py`. A kind of check
that has no column yet gets one by a line in detectors.py.
"""
