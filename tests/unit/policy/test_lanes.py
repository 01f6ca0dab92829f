"""Lane dealing: a partition, contiguous and balanced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.errors import InvariantError
from qmpi.policy.lanes import deal_lanes


@given(st.integers(1, 300), st.data())
def test_every_lane_once_contiguous_balanced(lanes, data):
    members = data.draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=lanes, unique=True))
    dealt = deal_lanes(lanes, members)
    assert len(dealt) == len(members)
    assert [lane for share in dealt for lane in share] == list(range(lanes))
    sizes = [len(share) for share in dealt]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("lanes", "members"), [(2, (0, 1, 2)), (4, ()), (4, (3, 3)), (0, (1,))])
def test_impossible_deals_are_refused(lanes, members):
    with pytest.raises(InvariantError):
        deal_lanes(lanes, members)
