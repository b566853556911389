"""Backward passes as learners get them wrong, each with the words that its diagnosis must contain."""

from wrong_backwards.axes import AXES
from wrong_backwards.behaviour import BEHAVIOUR
from wrong_backwards.elements import ELEMENTS
from wrong_backwards.fused import FUSED
from wrong_backwards.images import IMAGES
from wrong_backwards.learners import LEARNERS
from wrong_backwards.losses import LOSSES
from wrong_backwards.norms import NORMS
from wrong_backwards.ops import OPS
from wrong_backwards.places import PLACES
from wrong_backwards.products import PRODUCTS
from wrong_backwards.regimes import REGIMES
from wrong_backwards.unseen import UNSEEN

ALL = (
    *ELEMENTS,
    *PRODUCTS,
    *IMAGES,
    *NORMS,
    *LOSSES,
    *PLACES,
    *BEHAVIOUR,
    *OPS,
    *FUSED,
    *AXES,
    *REGIMES,
    *LEARNERS,
    *UNSEEN,
)
