"""The kinds of check: the columns of the kill matrix."""

from __future__ import annotations

import re

# {kind of check: which tests belong to it}, matched against "ops/test_exp.py::TestExp::test_gradcheck[exp (2, 3)]". The
# first that matches has the test; what matches none is not run on mutants.
DETECTORS = {
    "stored values": r"ops/.*::test_stored_values|properties/test_values",
    "by hand": r"kernels/test_reference",
    "torch": r".*(::test_torch|as_torch|test_float64$|test_float32$|stored_values_are_fresh)",
    "gradcheck": r"ops/.*::test_gradcheck|properties/test_gradients",
    "layouts": r"ops/.*::test_any_layout|properties/test_layouts",
    "aliasing": r"ops/.*::test_(neither_inputs_nor_gy|backward_leaves_what)|properties/test_aliasing",
    "dtypes": r"ops/.*::test_float32_stays|properties/test_dtypes",
    "only wanted": r"ops/.*::test_(only_wanted|only_the_wanted|nothing_is_kept)|ops/test_needs",
    "conventions": r"properties/test_conventions",
    "errors": r"ops/.*::test_errors|ops/test_checks",
    "op's own": r"ops/",
    "onnx": r"conformance/",
    "rungs": r"kernels/test_rungs|properties/test_rungs.py::test_(equals_the_reference\[.*-array|the_reference_equals)",
    "kernel's own": r"kernels/",
    "engine": r"test_autograd|properties/test_graphs",
    "memory": r"test_memory",
    "checker": r"check/test_(gradcheck|slopes|adjoint|blame|purity)",
    "optimiser": r"optim/",
    "layers": r"nn/",
    "data": r"data/",
    "training loop": r"test_train\.py",
    "training parity": r"test_training_parity.py::test_stored_losses",
}


def detector_of(test: str) -> str | None:
    """Which kind of check that test is; `test` is its pytest id, from the folder tests/ on."""
    return next((name for name, pattern in DETECTORS.items() if re.match(pattern, test)), None)
