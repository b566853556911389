"""Are the compiled kernels there already?"""

import numpy as np

from tinyres.device import kernels_for


def must_compile() -> bool:
    """Will the first step compile the kernels, once for this machine? That takes about 20 seconds of one core."""
    if kernels_for(np.zeros(1)).__name__ != "tinyres_kernels.cpu":
        return False
    from tinyres_kernels.cpu import cache

    return cache.is_empty()
