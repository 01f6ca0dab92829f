"""`qmpi curriculum JOB --tune DIR`: constants of the curriculum's rule, tried on small real runs.

Theory of operation. Candidates are proxies: small jobs with the job's data, trained one after
another as any job is, and scored by the evaluation at their end, which their journal has. Halving
leaves one of them; on fresh seeds it is held against what the job has. How many tokens all of it
takes is known before the first starts, and is refused where it is above the share that was asked.

All that is decided is a function of the job and of scores, and each score and each decision is
written down when it is there. So a tuning that was broken off goes on: what was scored is not
trained again, and a proxy that was half done goes on as a run does.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from qmpi.config.load import dump_toml
from qmpi.config.settings import Settings
from qmpi.errors import LaunchError
from qmpi.launch.tuning.folder import (
    JOURNAL,
    LOCK,
    check_same,
    last_evaluation,
    make_folder,
    proxy_directory,
)
from qmpi.launch.tuning.prepare import Prepared
from qmpi.planning.wording import amount
from qmpi.policy.curriculum.acceptance import Gain, judged, losses_by_type, mean_loss
from qmpi.policy.curriculum.draws import JOB, STATIC
from qmpi.policy.curriculum.halving import Rung, kept_of, survivors
from qmpi.policy.curriculum.proxy import ProxyRun, held_tokens, proxy_of, seed_of
from qmpi.protocol.status import EndMarker
from qmpi.protocol.tuning import (
    Candidate,
    ProxyEnded,
    RungDecided,
    TuningJudged,
    TuningOpened,
)
from qmpi.runtime.clock import Clock
from qmpi.runtime.ownership import beating, leave_at_once, take_run
from qmpi.storage.tuning_file import TuningFile


class Hands(Struct, frozen=True):
    """What a tuning is done with.

    Attributes:
        train: trains a job to its end, or goes on with it.
        tell: told what happens, in words.
        now: seconds since the epoch.
    """

    train: Callable[[Settings], EndMarker]
    tell: Callable[[str], None]
    now: Callable[[], float]


class Tried(Struct, frozen=True):
    """What came of a candidate.

    Attributes:
        candidate: which.
        rungs: its score in each rung that it came to, nats a token; None: not finite.
        held_out: likewise on each held-out seed; empty: it was not trained there.
    """

    candidate: Candidate
    rungs: tuple[float | None, ...]
    held_out: tuple[float | None, ...]


class Outcome(Struct, frozen=True):
    """What came of a tuning.

    Attributes:
        state: "accepted", "kept" (no gain) or "stopped" (the same command goes on with it).
        best: name of the best candidate; "" if it was stopped.
        reason: in words.
        gains: of the best, on held-out seeds.
        tried: all candidates.
        tokens: that the proxies have taken.
        whole: tokens of the job.
    """

    state: str
    best: str
    reason: str
    gains: tuple[Gain, ...]
    tried: tuple[Tried, ...]
    tokens: int
    whole: int


class _StoppedError(Exception):
    """A proxy was stopped before its end."""


def tune(prepared: Prepared, folder: Path, hands: Hands) -> Outcome:
    """Train proxies, and say which constants are best.

    Args:
        prepared: what is done.
        folder: new, or of a tuning of the same job that was broken off.
        hands: what it is done with.

    Returns:
        What came of it.

    Raises:
        InputError: the folder holds something else.
        RunInUse: another command is at it.
        ConfigError: it holds the tuning of another job, or with other options.
        CorruptData: its record was changed.
        LaunchError: a proxy failed, or was not measured.
        StorageError: a file cannot be read or written.
    """
    make_folder(folder)
    with take_run(folder / LOCK, Clock()) as lock, beating(lock, leave_at_once):
        return _Tuning(prepared, folder, hands).run()


class _Tuning:
    def __init__(self, prepared: Prepared, folder: Path, hands: Hands) -> None:
        self._prepared, self._folder, self._hands = prepared, folder, hands
        self._file = TuningFile(folder / JOURNAL)
        self._open()
        told = self._file.records
        self._scored = {r.name: r for r in told if isinstance(r, ProxyEnded)}
        self._rungs = {r.rung for r in told if isinstance(r, RungDecided)}
        self._begun = 0

    def run(self) -> Outcome:
        halving, by_name = self._prepared.halving, self._by_name
        alive = tuple(by_name)
        try:
            for rung in halving.rungs:
                alive = self._rung(rung, alive)
            finals = self._finals(alive[0])
        except _StoppedError as error:
            return self._outcome("stopped", "", str(error), ())
        return self._judge(alive[0], finals)

    @property
    def _by_name(self) -> dict[str, Candidate]:
        return {each.name: each for each in self._prepared.candidates}

    def _rung(self, rung: Rung, alive: Sequence[str]) -> tuple[str, ...]:
        seed = seed_of(self._prepared.settings.job.seed, f"rung {rung.number}")
        # In the order of the candidates: of equal scores the job's own stays.
        names = [name for name in self._by_name if name in alive]
        scores = {
            name: self._score(_rung_name(rung, name), name, seed, rung.steps) for name in names
        }
        kept = survivors(scores, kept_of(len(names)))
        if rung.number not in self._rungs:
            told = f"rung {rung.number}: {_listed(scores, kept)} go on"
            self._file.append(RungDecided(self._hands.now(), rung.number, kept, told))
            self._hands.tell(told)
        return kept

    def _finals(self, best: str) -> dict[str, list[float | None]]:
        if best == self._prepared.in_force:
            return {}
        job, halving = self._prepared.settings.job, self._prepared.halving
        names = list(dict.fromkeys((best, JOB, STATIC)))
        scores: dict[str, list[float | None]] = {name: [] for name in names}
        for number in range(1, halving.seeds + 1):
            seed = seed_of(job.seed, f"held-out {number}")
            for name in names:
                proxy = f"held-out-{number}-{name}"
                scores[name].append(self._score(proxy, name, seed, halving.last_steps))
        return scores

    def _judge(self, best: str, finals: Mapping[str, Sequence[float | None]]) -> Outcome:
        verdict = judged(best, finals) if finals else None
        accepted = verdict is not None and verdict.accepted
        gains = verdict.gains if verdict is not None else ()
        told = self._words(best, accepted=accepted, gains=gains)
        if not any(isinstance(record, TuningJudged) for record in self._file.records):
            self._file.append(TuningJudged(self._hands.now(), accepted, best, told))
        return self._outcome("accepted" if accepted else "kept", best, told, gains)

    def _words(self, best: str, *, accepted: bool, gains: Sequence[Gain]) -> str:
        prepared = self._prepared
        kept = "static data" if prepared.kind == "static" else "the job's constants"
        if best == prepared.in_force:
            return f"no gain: keep {kept}, the best of {len(prepared.candidates)} candidates"
        held = ", ".join(gain.described() for gain in gains)
        figures = f"on {prepared.halving.seeds} held-out seeds {best} is {held}"
        return f"accepted: {figures}" if accepted else f"no gain: keep {kept}; {figures}"

    def _score(self, name: str, candidate: str, seed: int, steps: int) -> float | None:
        self._begun += 1
        if name in self._scored:
            return self._scored[name].score
        run = ProxyRun(name, self._by_name[candidate], seed, steps)
        of = f"proxy {self._begun} of at most {self._prepared.halving.proxies}"
        self._hands.tell(f"{of}: {name}, {steps} steps")
        ended = self._trained(run)
        self._file.append(ended)
        self._scored[name] = ended
        self._hands.tell(ended.told)
        return ended.score

    def _trained(self, run: ProxyRun) -> ProxyEnded:
        prepared, directory = self._prepared, proxy_directory(self._folder, run.name)
        job = proxy_of(prepared.settings, run, prepared.asked.width, str(directory.root))
        marker = self._hands.train(job)
        if marker.state == "stopped":
            raise _StoppedError(f"proxy {run.name} stopped at step {marker.step}: {marker.reason}")
        if marker.state == "failed":
            raise LaunchError(
                f"proxy {run.name} failed at step {marker.step}: {marker.reason}; its logs are in "
                f"{directory.log_dir}, and the same command goes on"
            )
        losses = losses_by_type(last_evaluation(directory, run.steps))
        score = mean_loss(losses)
        figure = "a loss that is not finite" if score is None else f"{score:.5f} nats a token"
        return ProxyEnded(
            time=self._hands.now(),
            name=run.name,
            candidate=run.candidate.name,
            seed=run.seed,
            steps=run.steps,
            tokens=run.steps * prepared.step_tokens + held_tokens(prepared.settings),
            score=score,
            by_type=losses,
            digest=marker.digest,
            told=f"{run.candidate.name} after {run.steps} steps of seed {run.seed}: {figure}",
        )

    def _open(self) -> None:
        prepared, asked = self._prepared, self._prepared.asked
        if self._file.records:
            check_same(self._file, prepared)
            self._hands.tell(f"going on with {self._file.path}")
            return
        told = (
            f"{len(prepared.candidates)} candidates in {len(prepared.halving.rungs)} rungs and "
            f"{asked.seeds} held-out seeds: at most {prepared.halving.proxies} proxies and "
            f"{amount(prepared.tokens)}, {prepared.tokens / prepared.whole:.2%} of the job"
        )
        self._hands.tell(told)
        self._file.append(
            TuningOpened(
                time=self._hands.now(),
                job=dump_toml(prepared.settings),
                kind=prepared.kind,
                width=asked.width,
                seeds=asked.seeds,
                candidates=prepared.candidates,
                tokens=prepared.tokens,
                told=told,
            )
        )

    def _outcome(self, state: str, best: str, reason: str, gains: tuple[Gain, ...]) -> Outcome:
        ended = list(self._scored.values())
        tried = tuple(
            Tried(
                each,
                _scores(ended, each.name, "rung-"),
                _scores(ended, each.name, "held-out-"),
            )
            for each in self._prepared.candidates
        )
        tokens = sum(each.tokens for each in ended)
        return Outcome(state, best, reason, gains, tried, tokens, self._prepared.whole)


def _rung_name(rung: Rung, candidate: str) -> str:
    return f"rung-{rung.number}-{candidate}"


def _scores(ended: Sequence[ProxyEnded], name: str, kind: str) -> tuple[float | None, ...]:
    return tuple(e.score for e in ended if e.candidate == name and e.name.startswith(kind))


def _listed(scores: Mapping[str, float | None], kept: Sequence[str]) -> str:
    told = (f"{name} ({'-' if (s := scores[name]) is None else f'{s:.5f}'})" for name in kept)
    return ", ".join(told)
