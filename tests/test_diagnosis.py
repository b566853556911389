"""tinyres/diagnosis: it must name the mistake, and must not name one that was not made."""

import re

import numpy as np
import pytest
from wrong_backwards import FIRST, SECOND, X, Wrong, softmax

from tinyres.diagnosis import diagnose


def names_it(wrong, said):
    """Every word is there; a|b: one of the two."""
    return said is not None and all(
        re.search("|".join(map(re.escape, word.lower().replace("_", " ").split("|"))), said.lower())
        for word in wrong.words.split()
    )


@pytest.mark.parametrize("wrong", FIRST, ids=lambda wrong: wrong.name)
def test_names_the_mistake(wrong):
    said = diagnose(wrong.evidence())
    assert names_it(wrong, said), said
