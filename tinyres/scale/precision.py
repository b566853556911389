"""How exactly a GPU multiplies float32 arrays in convolutions: in float32, or faster on its tensor cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tinyres_kernels import products

PRODUCTS = {"highest": "float32", "high": "tf32", "medium": "bf16"}  # torch's words for them


def set_float32_matmul_precision(precision: str) -> None:
    """Choose how exactly a GPU multiplies in the convolutions of float32 arrays, from here on.

    highest  in float32
    high     in TF32: factors rounded to 11 significant bits, products summed in float32; several times as fast
    medium   in bf16: factors rounded to 8 significant bits; faster still
    Arrays stay float32, and so does everything else. On the CPU, and for float64, nothing changes, as in torch.
    ValueError: another word.
    """
    if precision not in PRODUCTS:
        expected = ", ".join(map(repr, PRODUCTS))
        raise ValueError(f"set_float32_matmul_precision: expected one of {expected}; got {precision!r}")
    products.choose(PRODUCTS[precision])


def get_float32_matmul_precision() -> str:
    """ "highest", "high" or "medium": see set_float32_matmul_precision."""
    return next(precision for precision, kind in PRODUCTS.items() if kind == products.get())


@contextmanager
def using_products(kind: str) -> Iterator[None]:
    """Inside, a GPU multiplies float32 arrays in "float32", "tf32" or "bf16"."""
    before = products.get()
    products.choose(kind)
    try:
        yield
    finally:
        products.choose(before)
