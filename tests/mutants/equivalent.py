"""Drawn mutants that no check can kill, each with the reason why it changes no result."""

EQUIVALENT = {
    "array.conv2d im2col: portion = max(1, CHUNK_BYTES // max(1, windows[:«1 → 2»].nbytes))": (
        "Half as many images at a time. How many there are decides how fast it goes, and nothing else."
    ),
    "array.relu relu: return np.maximum(«x, 0 → 0, x»)": "The larger of two is the same in either order, NaN included.",
    "array.avg_pool2d : «Array = Any → pass»": (
        "A name for type hints. They are never evaluated (from __future__ import annotations)."
    ),
    "optim.lr_scheduler OneCycleLR.lr: return _half_cosine(base, base * self.last, min("
    "«1.0, (t - peak) / max(end - peak, 1e-9) → (t - peak) / max(end - peak, 1e-9), 1.0»))": (
        "The smaller of two finite numbers is the same in either order."
    ),
}
