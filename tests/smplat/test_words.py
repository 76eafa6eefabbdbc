"""Numbers in sentences."""

import pytest

from smplat.lib.words import counted


@pytest.mark.parametrize(("count", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_200, "1,200 rows")])
def test_a_noun_follows_its_number(count, text):
    assert counted(count, "row") == text
