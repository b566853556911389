"""The precision in which float32 arrays are multiplied, where a rung has the choice: one setting for the process.

Only gpu/ has it, for convolutions. tinyres sets it, and it is kept here because kernels know nothing of tinyres.
"""

from __future__ import annotations

# float32: exact factors.   tf32, bf16: factors rounded to 11 or 8 significant bits (tensor cores), sums in float32
KINDS = "float32", "tf32", "bf16"


class _Chosen:
    kind = "float32"


def get() -> str:
    """One of KINDS."""
    return _Chosen.kind


def choose(kind: str) -> None:
    """Multiply in that kind from now on."""
    if kind not in KINDS:
        raise ValueError(f"products: expected one of {', '.join(KINDS)}; got {kind!r}")
    _Chosen.kind = kind
