"""The suite of engine over the real and the modelled port."""

import pytest
from conformance.engine_suite import CHECKS, DEATHS, KEEPING, SHARED
from conformance.modelled.engine import modelled_world
from conformance.real.engine import real_world

WORLDS = {"real": real_world, "modelled": modelled_world}


def name_of(part) -> str:
    return getattr(part, "__name__", "")


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_the_promises_are_kept(tmp_path, check, world):
    with WORLDS[world](tmp_path) as made:
        check(made)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("check", "victim"), DEATHS, ids=name_of)
def test_a_death_breaks_no_promise(tmp_path, check, victim, world):
    with WORLDS[world](tmp_path, mortal=[victim]) as made:
        check(made)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("check", SHARED, ids=name_of)
def test_the_promises_are_kept_where_moments_are_shared_out(tmp_path, check, world):
    with WORLDS[world](tmp_path, shard="optimizer") as made:
        check(made)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("check", KEEPING, ids=name_of)
def test_the_promises_are_kept_where_lanes_keep_something(tmp_path, check, world):
    with WORLDS[world](tmp_path, bits=16) as made:
        check(made)


@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("check", [*CHECKS, *(check for check, _ in DEATHS)], ids=name_of)
def test_the_modelled_engine_keeps_them_whatever_chance_says(tmp_path, check, seed):
    with modelled_world(tmp_path, seed=seed) as made:
        check(made)
