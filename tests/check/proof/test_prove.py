"""tinyres/check/proof/prove.py: every gradient of tinyres is right; and a planted bug shows in its row."""

import numpy as np
import pytest

from tinyres.check.proof.prove import all_cases, prove
from tinyres.check.proof.report import as_json, errors_table, shown
from tinyres.ops.batch_norm import BatchNorm
from tinyres.ops.tanh import Tanh


@pytest.fixture(scope="module")
def rows():
    return prove(all_cases())


def test_nothing_is_wrong(rows):
    assert [text for row in rows for text in row.failures] == []
    assert len(rows) > 100


def test_the_largest_error_by_differences(rows):
    assert max(row.central for row in rows) < 1e-6


def test_the_largest_error_by_complex_steps(rows):
    """Of every op but one: To makes complex numbers real."""
    assert {row.subject for row in rows if row.complex is None} == {"To"}
    assert max(row.complex for row in rows if row.complex is not None) < 1e-12


def test_the_largest_error_as_an_adjoint(rows):
    proved = {(row.subject, row.input) for row in rows if row.adjoint is not None}
    assert {("Conv2d", "x"), ("Conv2d", "w"), ("Matmul", "a"), ("Add", "b"), ("AvgPool2d", "x")} <= proved
    assert not {("ReLU", "x"), ("BatchNorm", "x"), ("Exp", "x")} & proved
    assert max(row.adjoint for row in rows if row.adjoint is not None) < 1e-6


def cases(subject):
    return [case for case in all_cases() if case.subject == subject]


def test_a_wrong_op(monkeypatch):
    right = BatchNorm.backward

    def zeros(self, gy):
        gx, ggamma, gbeta = right(self, gy)
        return np.zeros_like(gx), ggamma, gbeta

    monkeypatch.setattr(BatchNorm, "backward", zeros)
    x, gamma, beta = prove(cases("BatchNorm"))
    assert [text.partition(":")[0] for text in x.failures] == ["BatchNorm, images", "BatchNorm, matrix"]
    assert "guilty:    BatchNorm, in the gradient of x" in x.failures[0]
    assert gamma.failures == beta.failures == []


def test_a_wrong_op_within_a_net(monkeypatch):
    from tinyres.ops.batch_norm_add_relu import BatchNormAddReLU

    right = BatchNormAddReLU.backward

    def no_gate(self, gy):
        gx, _, ggamma, gbeta = right(self, gy)
        return gx, gy, ggamma, gbeta

    monkeypatch.setattr(BatchNormAddReLU, "backward", no_gate)
    failures = [text for row in prove(cases("BasicBlock")) for text in row.failures]
    assert any("guilty:    BatchNormAddReLU, in the gradient of s" in text for text in failures)
    assert all(text.startswith("BasicBlock, shortcut") and "training" in text for text in failures)


def test_the_report(monkeypatch):
    right = Tanh.backward
    monkeypatch.setattr(Tanh, "backward", lambda self, gy: -right(self, gy))
    rows = prove([*cases("Tanh"), *cases("MSELoss")])
    table = errors_table(rows)
    subject, name, settings, central, complex_, adjoint = (list(column.cells) for column in table.columns)
    assert (subject, name, settings) == (["Tanh", "MSELoss", ""], ["x", "x", "t"], ["2", "2", "2"])
    assert central[0] == "wrong" and float(central[1]) < 1e-6
    assert complex_[0] == "" and float(complex_[1]) < 1e-12
    assert adjoint == ["", "–", "–"]
    written = as_json(rows)
    assert [row["subject"] for row in written["gradients"]] == ["Tanh", "MSELoss", "MSELoss"]
    assert len(written["failures"]) == 2


def test_errors_as_text():
    assert [shown(error) for error in (None, 0.0, 1.26e-9)] == ["–", "0", "1e-09"]
