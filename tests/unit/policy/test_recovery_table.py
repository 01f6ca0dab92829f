"""The tables of docs/recovery.md are true: each row is run against the recovery decision."""

import re
from pathlib import Path

import pytest

from qmpi.policy.recovery import Candidate, KeptCopy, plan_group
from qmpi.protocol.membership import SnapshotFact

DOCUMENT = Path(__file__).parents[3] / "docs" / "recovery.md"
HEADING = "| case | what the ranks hold | copies |"
RANK = re.compile(r"(rank|spare) (\d+)(?: on (\w+))?: (?:no state|state (\d+))( and gradient)?")
COPY = re.compile(r"(?:RAM of (\w+)|disk): (\d+)")


def rows():
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    begins = [number + 2 for number, line in enumerate(lines) if line.startswith(HEADING)]
    for begin in begins:
        for line in lines[begin:]:
            if not line.startswith("|"):
                break
            yield [cell.strip() for cell in line.strip("|").split("|")]


def candidates(text):
    for part in text.split("; "):
        match = RANK.fullmatch(part)
        assert match, f"cannot read {part!r}"
        kind, rank, host, state, gradient = match.groups()
        yield Candidate(
            rank=int(rank),
            host=host or "a",
            is_spare=kind == "spare",
            team=-1,
            position=0,
            state_step=-1 if state is None else int(state),
            reduced=gradient is not None,
            reports_from=0,
            store_address=f"{host or 'a'}:{rank}",
        )


def copies(text):
    for part in text.split("; ") if text != "none" else ():
        match = COPY.fullmatch(part)
        assert match, f"cannot read {part!r}"
        host, step = match.groups()
        place = "ram" if host else "disk"
        shown = "RAM" if host else "disk"
        fact = SnapshotFact(int(step), f"digest{step}", place, f"{shown} {step}")
        yield KeptCopy(20, host or "z", fact)


def ranks(text):
    return () if text == "nobody" else tuple(int(rank) for rank in text.split(", "))


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row[0])
def test_row(row):
    _, held, copied, members, step, finish, receive, origin = row
    plan = plan_group(
        list(candidates(held)), list(copies(copied)), wanted_teams=2, lanes=8, committed=100
    )
    assert plan is not None
    assert plan.members == ranks(members)
    assert plan.step == int(step)
    assert plan.finish == ranks(finish)
    assert plan.needy == ranks(receive)
    assert [part.origin for part in plan.origins] == [origin]


def test_the_tables_are_found():
    assert len(list(rows())) >= 18
