"""Writes tests/ops/expected.json: what torch answers to the CASES of every tests/ops/test_*.py, in float64.

Run it by hand, with torch installed, after a change to the CASES:   python tests/make_expected.py
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parent


def fresh() -> dict[str, list[np.ndarray]]:
    """{case: [y, gradient of the first input, …]}"""
    from support import torch_results

    answers = {}
    for case in all_cases():
        if str(case) in answers:
            raise ValueError(f"two cases are called {case}")
        answers[str(case)] = torch_results(case)
    return answers


def all_cases() -> list:
    """The CASES of every test class in tests/ops."""
    from support import OpTests

    cases = []
    for path in sorted((TESTS / "ops").glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, OpTests):
                cases.extend(value.CASES)
    return cases


def line(name: str, arrays: list[np.ndarray]) -> str:
    """ "case": [[shape, values], …], the values to 12 digits"""
    stored = [[a.shape, [float(f"{value:.12g}") for value in a.flat]] for a in arrays]
    return f"{json.dumps(name)}: {json.dumps(stored, separators=(',', ':'))}"


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS), str(TESTS.parent), str(TESTS.parent / "kernels")]
    from support import EXPECTED

    EXPECTED.write_text("{\n" + ",\n".join(line(*answer) for answer in fresh().items()) + "\n}\n")
    print(f"{EXPECTED}: {EXPECTED.stat().st_size / 1024:.0f} KiB")
