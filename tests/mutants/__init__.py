"""Planted bugs, by which the test suite proves that it can fail.

A mutant is a module of ours with one thing wrong in it. Each is tried in a process of its own (trial.py), where the
suite's real tests run on it; when one of them fails, the mutant is killed. One that survives is a gap in the suite.

    planted_*.py     written by hand: the mistakes one makes in a backward pass, a kernel, the engine, an optimiser
    drawn.py         found in the source by machine, where nobody chose: + made -, an argument swapped, a line left out
    code.py          finds the code that a mutant changes
    detectors.py     the kinds of check, and which tests belong to each
    page.py          the kill matrix: docs/mutants.md, written by `python tests/make_mutants.py`

    pytest -m "mutants and not slow"    tries each until its first kill; prints who killed whom
    pytest -m mutants                   with those of the large compiled kernels, minutes each

How a new check proves that it can fail: plant the bug it is meant to catch. That is one entry in a planted_*.py, with a
sentence that describes the bug, the function that has it, the code that is there, and the code in its place:

    Planted("tanh: the square is forgotten", "Tanh.backward", "1 - y * y", "1 - y"),

Then `pytest -m mutants -k "square is forgotten"`, and once it dies `python tests/make_mutants.py --missing`. A kind of
check that has no column yet gets one by a line in detectors.py.

A mutant names functions, not files, and code is compared by its syntax tree: whoever moves or reformats a function need
not touch its mutants. `pytest -m mutants -k finds_its_place` lists those whose function or code is gone.
"""
