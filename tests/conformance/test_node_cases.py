"""ONNX's own test cases for its operators, done by tinyres: judged by numbers that nobody here has written.

The package onnx brings some 1,900 cases: a model of one node, inputs, the outputs they must give, and tolerances. Those
of the operators in onnx_nodes.py are run here, each on every rung of kernels, save those listed in OUT. They come from
the package at hand, so a new version may bring new ones: they are run at once, and the counts below no longer agree.
"""

import re

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'tinyres[test]'")

from conformance.onnx_nodes import OPERATORS, run_node
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.runner import Runner


def offered():
    """{name: case}. Models of several nodes are left out: those called …_expanded, which spell an operator out."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # the making of cases for other operators
        cases = collect_testcases(None)
    nodes = {case.name.removeprefix("test_"): (case, case.model.graph.node) for case in cases}
    return {name: case for name, (case, node) in nodes.items() if len(node) == 1 and node[0].op_type in OPERATORS}


# Why not, what happens if it is tried, and the cases.
OUT = (
    (
        "images alone are pooled, not rows of values or volumes",
        (ValueError, "expected images (N, C, H, W), got"),
        ("averagepool_1d_default", "averagepool_3d_default", "maxpool_1d_default", "maxpool_3d_default"),
    ),
    (
        "windows have no gaps",
        ((NotImplementedError, TypeError, ValueError), "dilation"),
        (
            "averagepool_2d_dilations",
            "averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False",
            "averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True",
            "averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False",
            "averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
            "averagepool_3d_dilations_small",
            "maxpool_2d_dilations",
            "maxpool_3d_dilations",
            "maxpool_3d_dilations_use_ref_impl",
            "maxpool_3d_dilations_use_ref_impl_large",
        ),
    ),
    (
        "an average that leaves the padding out has equal padding on both sides",
        (ValueError, "expected padding to be an int or a pair of ints"),
        ("averagepool_2d_same_lower", "averagepool_2d_same_upper"),
    ),
    (
        "and at most half a kernel of it",
        (ValueError, "expected padding of at most half the kernel"),
        ("averagepool_2d_pads",),
    ),
    (
        "pooling does not say where the maxima stood",
        (AssertionError, "Items are not equal"),  # the numbers of outputs
        ("maxpool_with_argmax_2d_precomputed_pads", "maxpool_with_argmax_2d_precomputed_strides"),
    ),
    (
        "pooling is for floating-point numbers",
        (TypeError, "expected input in floating point, got uint8"),
        ("maxpool_2d_uint8",),
    ),
)
REFUSALS = {name: refusal for _, refusal, names in OUT for name in names}
COUNTS = {  # (run, out), of onnx 1.23: together (69, 20)
    "Add": (8, 0),
    "AveragePool": (9, 11),
    "BatchNormalization": (4, 0),
    "Conv": (6, 0),
    "Flatten": (9, 0),
    "Gemm": (11, 0),
    "GlobalAveragePool": (2, 0),
    "MaxPool": (10, 9),
    "Relu": (1, 0),
    "Sigmoid": (2, 0),
    "Softmax": (7, 0),
}
CASES = offered()


def run(case):
    """The case's node on its inputs: the outputs, by the package's own comparison, are those wanted."""
    (node,) = case.model.graph.node
    for inputs, wanted in case.data_sets:
        Runner.assert_similar_outputs(wanted, run_node(node, inputs), case.rtol, case.atol)


@pytest.mark.parametrize("name", sorted(CASES.keys() - REFUSALS.keys()))
def test_case(name, rung):
    run(CASES[name])


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_out_is_out_for_the_reason_given(name):
    error, message = REFUSALS[name]
    with pytest.raises(error, match=re.escape(message)):
        run(CASES[name])


def test_the_counts():
    counts = {op: [0, 0] for op in OPERATORS}
    for name, case in CASES.items():
        counts[case.model.graph.node[0].op_type][name in REFUSALS] += 1
    assert {op: tuple(of) for op, of in counts.items()} == COUNTS
    assert [sum(of) for of in zip(*COUNTS.values(), strict=True)] == [69, 20]
