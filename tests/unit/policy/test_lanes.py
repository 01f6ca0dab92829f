"""Lane dealing: a partition, contiguous and balanced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.errors import InvariantError
from qmpi.policy.lanes import deal_lanes


@given(st.integers(1, 300), st.data())
def test_every_lane_once_contiguous_balanced(lanes, data):
    teams = data.draw(st.integers(1, lanes))
    dealt = deal_lanes(lanes, teams)
    assert len(dealt) == teams
    assert [lane for share in dealt for lane in share] == list(range(lanes))
    sizes = [len(share) for share in dealt]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("lanes", "teams"), [(2, 3), (4, 0), (4, -1), (0, 1)])
def test_impossible_deals_are_refused(lanes, teams):
    with pytest.raises(InvariantError):
        deal_lanes(lanes, teams)
