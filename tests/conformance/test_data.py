"""The suite of data over the real and the modelled port."""

import pytest
from conformance.data_suite import CHECKS
from conformance.modelled.data import modelled_world
from conformance.real.data import real_world

WORLDS = {"real": real_world, "modelled": modelled_world}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_promises_are_kept(tmp_path, check, world):
    with WORLDS[world](tmp_path) as made:
        check(made)
