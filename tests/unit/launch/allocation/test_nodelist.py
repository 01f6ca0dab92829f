"""Lists of hosts in brackets: what they stand for, and that folding them loses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmpi.errors import InputError
from qmpi.launch.allocation.nodelist import compress, counts, expand


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ["a"]),
        ("a1, b2", ["a1", "b2"]),
        ("a[01-03,7],b2", ["a01", "a02", "a03", "a7", "b2"]),
        ("x[0-1]n[2-3]", ["x0n2", "x0n3", "x1n2", "x1n3"]),
        ("n[9-11]", ["n9", "n10", "n11"]),
        ("n[098-101]-ib", ["n098-ib", "n099-ib", "n100-ib", "n101-ib"]),
        ("[1-2]", ["1", "2"]),
        ("rack-3-node[4]", ["rack-3-node4"]),
        ("a.b.example", ["a.b.example"]),
    ],
)
def test_a_list_stands_for_its_hosts(text: str, names: list[str]):
    assert list(expand(text)) == names


@pytest.mark.parametrize(
    "text",
    ["", "a,,b", "a[1-2", "a1-2]", "a[]", "a[x]", "a[3-1]", "a[1-2-3]", "a[[1]]", "a b", "a[1]]b"],
)
def test_what_is_no_list_is_refused_by_name(text: str):
    with pytest.raises(InputError, match="is no list of hosts"):
        expand(text)


def test_a_damaged_list_does_not_fill_the_memory():
    for text in ("a[0-999999999999]", "a[0-9999]b[0-9999]c[0-9999]"):
        with pytest.raises(InputError):
            expand(text)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a01", "a02", "a03", "a7", "b2"], "a[01-03,7],b2"),
        (["n9", "n10"], "n[9-10]"),
        (["n09", "n10", "n100"], "n[09-10,100]"),
        (["login", "login"], "login,login"),
        (["a1"], "a1"),
        ([], ""),
    ],
)
def test_neighbours_stand_together(names: list[str], text: str):
    assert compress(names) == text


NAMES = st.from_regex(r"[a-z]{0,3}[0-9]{0,4}(-[a-z]{1,2}[0-9]{0,3})?[a-z]?", fullmatch=True)


@given(st.lists(NAMES.filter(bool), min_size=1, max_size=30))
def test_folding_loses_nothing(names: list[str]):
    assert list(expand(compress(names))) == names


@given(st.integers(0, 1100), st.integers(1, 60), st.integers(1, 5))
def test_ranges_fold_to_few_letters(first: int, many: int, width: int):
    names = [f"n{number:0{width}d}" for number in range(first, first + many)]
    assert list(expand(compress(names))) == names
    assert len(compress(names)) <= 20


def test_tasks_of_each_node():
    assert counts("2(x3),1") == (2, 2, 2, 1)
    assert counts("16") == (16,)
    for text in ("", "2x3", "2(x)", "-1", "1(x99999999)"):
        with pytest.raises(InputError):
            counts(text)
