"""One process of a host compiles, the others wait and then load."""

import threading

import pytest

from qmpi.runtime.compile_cache import VARIABLE, CompileCache


def test_the_first_compiles_while_the_others_wait(tmp_path):
    order, entered = [], threading.Event()

    def first():
        entered.set()
        # Long enough for the other to get in if nothing kept it out.
        waiting.wait(0.5)
        order.append("first")

    waiting = threading.Event()
    caches = [CompileCache(tmp_path, {}) for _ in range(2)]
    one = threading.Thread(target=caches[0].in_turn, args=("tools", "shape", first))
    one.start()
    assert entered.wait(10)
    caches[1].in_turn("tools", "shape", lambda: order.append("second"))
    one.join()
    assert order == ["first", "second"]


def test_what_is_made_is_loaded_by_all_at_once(tmp_path):
    CompileCache(tmp_path, {}).in_turn("tools", "shape", lambda: None)
    both = threading.Barrier(2)
    threads = [
        threading.Thread(
            target=CompileCache(tmp_path, {}).in_turn,
            args=("tools", "shape", lambda: both.wait(10)),
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not both.broken


def test_a_failed_try_leaves_the_next_one_to_try(tmp_path):
    done = []

    def fail():
        raise RuntimeError("no compiler")

    cache = CompileCache(tmp_path, {})
    with pytest.raises(RuntimeError, match="no compiler"):
        cache.in_turn("tools", "shape", fail)
    cache.in_turn("tools", "shape", lambda: done.append(1))
    assert done == [1]


def test_each_set_of_tools_has_its_directory_unless_one_is_given(tmp_path):
    free, given = {}, {VARIABLE: "elsewhere"}
    CompileCache(tmp_path, free).in_turn("tools", "shape", lambda: None)
    CompileCache(tmp_path, given).in_turn("tools", "shape", lambda: None)
    assert free[VARIABLE] == str(tmp_path / "compiled" / "tools")
    assert given[VARIABLE] == "elsewhere"


def test_a_cache_that_cannot_be_written_costs_the_sharing_alone(tmp_path):
    done = []
    blocked = tmp_path / "file"
    blocked.write_text("")
    CompileCache(blocked, {}).in_turn("tools", "shape", lambda: done.append(1))
    assert done == [1]
