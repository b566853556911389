"""The stored values are still what torch says: see make_expected.py."""

import pytest
from support import assert_equal, expected


def test_stored_values_are_fresh():
    pytest.importorskip("torch", reason="torch is not installed, and it alone can say what is right")
    from make_expected import fresh

    answers = fresh()
    assert answers.keys() == expected().keys(), "run tests/make_expected.py"
    for name, arrays in answers.items():
        assert_equal(arrays, expected()[name])
