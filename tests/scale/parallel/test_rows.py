"""tinyres/scale/parallel/rows.py"""

import pytest

from tinyres.scale.parallel.rows import Rows


@pytest.mark.parametrize("total", [1, 2, 7, 64])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
def test_every_row_is_somebody_s(total, size):
    parts = [Rows.of(total, rank, size) for rank in range(size)]
    assert [row for part in parts for row in range(total)[part.slice]] == list(range(total))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert {part.total for part in parts} == {total}
