"""All checks together: a sound machine, a machine that answers nothing, what is asked."""

import msgspec
from unit.doctor.machine import Machine

from qmpi.doctor.examine import CHECKS, examine
from qmpi.doctor.finding import Finding, has_error
from qmpi.doctor.probes import Probes
from qmpi.doctor.report import line_of, summary_of
from qmpi.doctor.running import Answer


def test_a_sound_machine_has_nothing_to_mend(machine: Machine) -> None:
    found = machine.found()
    assert list(found) == list(CHECKS)
    assert {name: one for name, one in found.items() if one.state != "ok"} == {}
    assert all(one.found and not one.advice for one in found.values())


def test_a_machine_that_answers_nothing_says_so_at_each_check_it_concerns(machine: Machine) -> None:
    for what in machine.answers:
        machine.answers[what] = Answer(None, fault="no end within 10 s")
    found = machine.found()
    assert list(found) == list(CHECKS)
    assert found["torch"] == Finding(
        "torch",
        "warning",
        "cannot be checked: no end within 10 s",
        "mend what is named, then ask again",
    )
    assert found["mpirun"].state == "error"
    assert found["disk speed"].state == "warning"
    assert found["stack"].state == "ok"
    assert all(one.advice for one in found.values() if one.state != "ok")


def test_a_bare_root_costs_no_check_its_answer(machine: Machine) -> None:
    machine.changes["root"] = machine.root / "nothing"
    found = machine.found()
    assert list(found) == list(CHECKS)
    assert found["memory"].state == "warning"
    assert "proc/meminfo" in found["memory"].found


def test_a_check_that_fails_in_itself_is_a_warning_and_takes_no_other_along(
    machine: Machine,
) -> None:
    def find(name: str) -> str:
        raise ZeroDivisionError(name)

    machine.changes["find"] = find
    found = machine.found("scheduler", "stack")
    assert found["scheduler"].state == "warning"
    assert "ZeroDivisionError" in found["scheduler"].found
    assert found["stack"].state == "ok"


def test_a_program_is_run_once_and_only_if_a_check_asks(machine: Machine) -> None:
    machine.found("stack", "processes")
    assert machine.asked == []
    machine.found("torch", "bfloat16", "start-up")
    programs = [command[2] for command in machine.asked if command[1] == "-m"]
    assert programs == ["qmpi.doctor.programs.imports"]


def test_without_ranks_nothing_is_started(machine: Machine) -> None:
    machine.changes["trial_ranks"] = 0
    found = machine.found()
    assert not has_error(list(found.values()))
    for name in ("MPI start", "death of a rank", "clocks", "shared files"):
        assert "--mpi" in found[name].found
    assert not [command for command in machine.asked if "-n" in command]


def test_the_report_is_aligned_and_names_what_is_worst(machine: Machine) -> None:
    machine.changes["ranks"] = 100_000
    findings = list(examine(Probes(machine.surroundings())))
    lines = [line_of(one, 20).plain.splitlines() for one in findings]
    assert {line[0][:9].strip() for line in lines} <= {"ok", "warning", "error"}
    for one, line in zip(findings, lines, strict=True):
        assert line[0][9:].startswith(one.check)
        assert line[0][31:] == one.found
        assert (len(line) == 2) == bool(one.advice)
    summary = summary_of(findings).plain
    assert summary.startswith(f"{len(CHECKS)} checks: ")
    assert "open files" in summary
    assert summary_of([Finding("a", "ok", "b", "")]).plain == "1 check: 0 errors, 0 warnings"


def test_what_is_no_text_is_told_all_the_same(machine: Machine) -> None:
    environ = dict(machine.surroundings().environ)
    machine.changes["environ"] = {**environ, "OMPI_MCA_pml": "\udcff\x1b[2J\n"}
    machine.changes["folder"] = machine.root / "r\udcffn"
    found = machine.found("MPI settings", "run directory")
    assert found["MPI settings"].found.startswith("pml=\\udcff [2J : only pml ob1")
    assert "r\\udcffn" in found["run directory"].found
    msgspec.json.encode(list(found.values()))
