"""The suite of copies over the real and the modelled port."""

import pytest
from conformance.copies_suite import CHECKS, TEAM_CHECKS
from conformance.modelled.copies import modelled_world
from conformance.real.copies import real_world

WORLDS = {"real": real_world, "modelled": modelled_world}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_promises_are_kept(tmp_path, check, world):
    with WORLDS[world](tmp_path) as made:
        check(made)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("check", TEAM_CHECKS, ids=lambda check: check.__name__)
def test_the_promises_are_kept_for_parts_of_a_state(tmp_path, check, world):
    with WORLDS[world](tmp_path, team=2) as made:
        check(made)
