"""The tables of docs/recovery.md are true: each row is run against the recovery decision."""

import re
from pathlib import Path

import pytest

from qmpi.policy.broken_groups import BrokenGroup, after_broken
from qmpi.policy.recovery import Candidate, KeptCopy, plan_group
from qmpi.protocol.membership import SnapshotFact

DOCUMENT = Path(__file__).parents[3] / "docs" / "recovery.md"
CASE = "| case | what the ranks hold | copies | "
ALONE = f"{CASE}members |"
TEAMS = f"{CASE}teams |"
JOURNAL = f"{CASE}committed |"
BROKEN = "| case | groups that broke in a row |"
BREAK = re.compile(r"rank (?P<rank>\d+)(?P<own>, own)?(?:, x(?P<times>\d+))?")
RANK = re.compile(
    r"(?P<kind>rank|spare) (?P<rank>\d+)(?: at (?P<team>\d+)\.(?P<position>\d+))?"
    r"(?: on (?P<host>\w+))?: (?:no state|state (?P<state>\d+))(?P<gradient> and gradient)?"
    r"(?:, reports from (?P<told>\d+))?"
)
COPY = re.compile(r"(?:RAM of (\w+)|disk): (\d+)(?: at (\d+))?")


def rows(heading):
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    begins = [number + 2 for number, line in enumerate(lines) if line.startswith(heading)]
    for begin in begins:
        for line in lines[begin:]:
            if not line.startswith("|"):
                break
            yield [cell.strip() for cell in line.strip("|").split("|")]


def cases(heading):
    return pytest.mark.parametrize("row", list(rows(heading)), ids=lambda row: row[0])


def candidates(text):
    for part in text.split("; "):
        match = RANK.fullmatch(part)
        assert match, f"cannot read {part!r}"
        told = match.groupdict()
        yield Candidate(
            rank=int(told["rank"]),
            host=told["host"] or "a",
            is_spare=told["kind"] == "spare",
            team=int(told["team"] or -1),
            position=int(told["position"] or 0) if told["kind"] == "rank" else -1,
            state_step=int(told["state"] or -1),
            reduced=told["gradient"] is not None,
            reports_from=int(told["told"] or 0),
            store_address=f"{told['host'] or 'a'}:{told['rank']}",
        )


def copies(text, team_size):
    for part in text.split("; ") if text != "none" else ():
        match = COPY.fullmatch(part)
        assert match, f"cannot read {part!r}"
        host, step, only = match.groups()
        place = "ram" if host else "disk"
        shown = "RAM" if host else "disk"
        for position in range(team_size) if only is None else [int(only)]:
            digest = f"digest{step}.{position}"
            fact = SnapshotFact(int(step), digest, place, f"{shown} {step}", position)
            yield KeptCopy(20, host or "z", fact)


def ranks(text):
    return () if text == "nobody" else tuple(int(rank) for rank in text.split(", "))


def decide(held, copied, *, team_size=1, committed=100):
    plan = plan_group(
        list(candidates(held)),
        list(copies(copied, team_size)),
        wanted_teams=2,
        lanes=8,
        team_size=team_size,
        committed=committed,
    )
    assert plan is not None
    return plan


@cases(ALONE)
def test_row(row):
    _, held, copied, members, step, finish, receive, origin = row
    plan = decide(held, copied)
    assert plan.members == ranks(members)
    assert plan.step == int(step)
    assert plan.finish == ranks(finish)
    assert plan.needy == ranks(receive)
    assert [part.origin for part in plan.origins] == [origin]


@cases(TEAMS)
def test_row_of_teams(row):
    _, held, copied, teams, step, finish, receive, origin, leave = row
    plan = decide(held, copied, team_size=2)
    assert [" ".join(map(str, team)) for team in plan.teams] == teams.split(", ")
    assert plan.step == int(step)
    assert plan.finish == ranks(finish)
    assert plan.needy == ranks(receive)
    assert [part.origin for part in plan.origins] == [origin, origin]
    assert plan.demoted == ranks(leave)


@cases(JOURNAL)
def test_row_of_reports(row):
    _, held, copied, committed, members, step, reporter, origin = row
    plan = decide(held, copied, committed=int(committed))
    assert plan.members == ranks(members)
    assert plan.step == int(step)
    assert plan.reporter == int(reporter)
    assert [part.origin for part in plan.origins] == [origin]


@cases(BROKEN)
def test_row_of_broken_groups(row):
    _, broke, spared, then = row
    series, decided = [], None
    for part in broke.split("; "):
        match = BREAK.fullmatch(part)
        assert match, f"cannot read {part!r}"
        for _ in range(int(match["times"] or 1)):
            at = series[-1].at + decided.wait_seconds if series else 0.0
            series.append(BrokenGroup(at, int(match["rank"]), "", match["own"] is not None))
            decided = after_broken(series, ranks(spared))
    if decided.unfit is not None:
        assert then == f"without {decided.unfit}"
    elif decided.ends:
        assert then == "the job ends"
    else:
        wait = decided.wait_seconds
        assert then == (f"in {wait:g} s" if wait else "at once")


TABLES = [(ALONE, 18), (TEAMS, 16), (JOURNAL, 5), (BROKEN, 12)]


@pytest.mark.parametrize(("heading", "least"), TABLES)
def test_the_tables_are_found(heading, least):
    assert len(list(rows(heading))) >= least
