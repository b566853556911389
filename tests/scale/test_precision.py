"""tinyres/scale/precision.py: torch's words for it, and that it changes nothing on the CPU."""

import numpy as np
import pytest

import tinyres
import tinyres_kernels.array
import tinyres_kernels.cpu
from tinyres.scale.precision import using_products
from tinyres_kernels import products


@pytest.fixture
def highest():
    yield
    tinyres.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("highest")
def test_torchs_words_for_precision():
    assert tinyres.get_float32_matmul_precision() == "highest"
    for word, kind in {"high": "tf32", "medium": "bf16", "highest": "float32"}.items():
        tinyres.set_float32_matmul_precision(word)
        assert (tinyres.get_float32_matmul_precision(), products.get()) == (word, kind)


def test_another_word_is_refused():
    with pytest.raises(ValueError, match=r"expected one of 'highest', 'high', 'medium'; got 'low'"):
        tinyres.set_float32_matmul_precision("low")
    with pytest.raises(ValueError, match=r"expected one of float32, tf32, bf16; got 'float16'"):
        products.choose("float16")
    assert products.get() == "float32"


def test_for_a_while():
    with pytest.raises(ZeroDivisionError), using_products("bf16"):
        assert tinyres.get_float32_matmul_precision() == "medium"
        raise ZeroDivisionError
    assert tinyres.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("rung", [tinyres_kernels.array, tinyres_kernels.cpu])
def test_on_the_cpu_nothing_is_rounded(rung):
    x, w = (
        np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in ((2, 4, 8, 8), (4, 4, 3, 3))
    )
    exact = rung.conv2d(x, w, (1, 1), (1, 1))
    with using_products("bf16"):
        np.testing.assert_array_equal(rung.conv2d(x, w, (1, 1), (1, 1)), exact)
