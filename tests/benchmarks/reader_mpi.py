"""One memory rank and one reader over MPI, for `bench_reader`: blocks of rows as trainers get them.

Started by mpirun, `reader_mpi.py JOB CORPUS OUT` is one of the two ranks. Rank 0 reads: it keeps as
many requests under way as a trainer does, and checks each block's digest. Rank 1 is a memory role
over the data port and the driver of real jobs; what the coordinator would tell it is told here.
Rows come in the order of training, which is shuffled. A memory rank keeps decoded chunks, half of
the corpus at most; the form "all kept" has room for all.
"""

import json
import os
import subprocess
import sys
import threading
import time
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct
from reader_data import drop, write_corpus
from reader_sides import LENGTH, Side, half_budget

from qmpi.config.data import CorpusSource, DataSettings
from qmpi.config.load import dump_toml, load_job
from qmpi.config.memory import CHUNK_TOKENS, MemorySettings
from qmpi.config.model import ModelSettings
from qmpi.config.settings import Settings
from qmpi.config.train import TrainSettings
from qmpi.driver.inbox import Inbox
from qmpi.driver.ports import Ports
from qmpi.driver.process import Handled, Process
from qmpi.driver.router import Router, Tell
from qmpi.launch.mpirun import FLAGS, find_mpirun
from qmpi.policy.stream import first_recipe
from qmpi.ports.data import SourcesOpened
from qmpi.protocol.blocks import BlockReply, BlockRequest
from qmpi.protocol.codec import decode, encode
from qmpi.protocol.envelope import WIRE_VERSION, Address, Header, RoleName
from qmpi.protocol.pulse import Directory
from qmpi.roles.directory import DirectoryChanged
from qmpi.roles.facts import RankFacts
from qmpi.roles.memory import Memory
from qmpi.runtime.clock import Clock
from qmpi.runtime.data import FileData
from qmpi.runtime.loop import Loop
from qmpi.transport.mpi import MpiTransport, start_mpi
from qmpi.units import Generation, Rank, Seconds

READER, MEMORY = Rank(0), Rank(1)
LANES, SEQUENCES, STEPS_AHEAD = 8, 64, 2
END = b"end"
PASSES = ("cold_", "")


class OverMpi(Side):
    """The two ranks, as `bench_reader` sees them."""

    def __init__(self, folder, ids, tokenizer, *, kept):
        self.corpus = folder / "corpus"
        if not self.corpus.exists():
            write_corpus(self.corpus, ids, tokenizer)
        self.files = sorted(self.corpus.glob("*.h5"))
        self.rows = (ids.size - 1) // LENGTH
        self.job = folder / f"reader-{kept}.toml"
        least = 2 * CHUNK_TOKENS * ids.itemsize
        budget = 4 * ids.nbytes if kept else half_budget(ids.nbytes, least)
        settings = Settings(
            data=DataSettings(sources=(CorpusSource(name="text", path=str(self.corpus)),),
                              prefetch_steps=STEPS_AHEAD),
            model=ModelSettings(vocab_size=max(256, int(ids.max()) + 1)),
            memory=MemorySettings(budget=max(budget, least)),
            train=TrainSettings(
                steps=max(1, self.rows // (LANES * SEQUENCES)) * len(PASSES), lanes=LANES,
                sequences=SEQUENCES, sequence_tokens=LENGTH,
            ),
        )  # fmt: skip
        self.job.write_text(dump_toml(settings))

    @classmethod
    def forms(cls, folder, ids, tokenizer):
        """Yield (reader, form, side); none without a vocabulary that a job can read."""
        if tokenizer.exists():
            for form in ("", "all kept"):
                yield "qmpi_mpi", form, cls(folder, ids, tokenizer, kept=bool(form))

    def round(self, *, by_cpu):
        """Run both ranks once; return figures by name, warm ones perhaps by processor time."""
        drop(self.files)
        out = self.job.with_suffix(".json")
        root = ["--allow-run-as-root"] if os.getuid() == 0 else []
        command = [str(find_mpirun(os.environ)), *root, *FLAGS, "-n", "2", sys.executable]
        command += [__file__, str(self.job), str(out)]
        paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), *sys.path[1:]]))
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        if not out.exists():
            sys.exit(f"the ranks failed:\n{done.stdout}{done.stderr}")
        found = json.loads(out.read_text())
        out.unlink()
        if by_cpu:
            found["tokens_per_second"] = 1e9 / found["cpu_nanoseconds_per_token"]
            found["random_windows_per_second"] = found["tokens_per_second"] / LENGTH
        return found


class Surroundings(Struct):
    """The processes port of a rank that leaves when it is told."""

    leaving: bool = False

    def notices(self, now):
        """Nobody asks for anything."""
        del now
        return []


def serve(transport, settings, cache):
    """Be the memory rank until the reader has had enough."""
    wake, around = threading.Event(), Surroundings()
    facts = RankFacts(MEMORY, "here", os.getpid(), Address(READER, RoleName.TRAINER), (MEMORY,))

    def direct(handled: Handled):
        if isinstance(handled.event, SourcesOpened):
            directory = Directory(
                1, memories=(MEMORY,), sources=handled.event.sources,
                recipes=(first_recipe([1.0], settings.job.seed),),
            )  # fmt: skip
            process._following.append(Tell(RoleName.MEMORY, DirectoryChanged(directory), "start"))

    def leave(_why):
        # What is no message of a job is the reader's last word.
        around.leaving = True

    process = Process(
        Router(MEMORY, lambda _name, _describe: Memory(settings, facts)),
        Ports(clock=Clock(), transport=transport, processes=around,
              data=FileData(settings, cache)),
        Inbox(wake.set), observe=direct, complain=leave,
    )  # fmt: skip
    Loop(process, wake).run((RoleName.MEMORY,))


class Reader:
    """Asks for blocks as a trainer does."""

    def __init__(self, transport):
        self.transport, self.sent = transport, 0
        self.pid = self._next()[0].pid

    def _next(self):
        """Return the next message and its frames; sleep as an idle rank does."""
        while True:
            for delivery in self.transport.poll(1):
                return decode(delivery.data)[1], delivery.frames
            time.sleep(0.0002)

    def ask(self, step, lane):
        self.sent += 1
        header = Header(
            version=WIRE_VERSION, source=Address(READER, RoleName.TRAINER),
            target=Address(MEMORY, RoleName.MEMORY), sequence=self.sent,
            generation=Generation(0), cause="bench",
        )  # fmt: skip
        self.transport.send(MEMORY, encode(header, BlockRequest(step, lane)), ())

    def read(self, steps):
        """Read all blocks of some steps; return the rows."""
        keys = [(step, lane) for step in steps for lane in range(LANES)]
        asked = rows = 0
        for done in range(len(keys)):
            while asked < min(len(keys), done + STEPS_AHEAD * LANES):
                self.ask(*keys[asked])
                asked += 1
            reply, frames = self._next()
            assert isinstance(reply, BlockReply), reply
            assert blake2b(frames[0], digest_size=16).hexdigest() == reply.digest
            rows += SEQUENCES
        return rows

    def cpu_seconds(self):
        """Return what both ranks have computed."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return time.process_time() + sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def read(transport, settings, out):
    """Be the reader: one pass over the corpus cold, one warm."""
    reader, found = Reader(transport), {}
    steps = settings.train.steps // len(PASSES)
    for number, state in enumerate(PASSES):
        begun, cpu = time.perf_counter(), reader.cpu_seconds()
        rows = reader.read(range(number * steps, (number + 1) * steps))
        seconds = time.perf_counter() - begun
        used = (reader.cpu_seconds() - cpu) / (rows * LENGTH)
        found |= {
            state + "tokens_per_second": rows * LENGTH / seconds,
            state + "random_windows_per_second": rows / seconds,
            state + "cpu_nanoseconds_per_token": used * 1e9,
        }
    transport.send(MEMORY, END, ())
    transport.flush(Seconds(time.monotonic() + 10))
    out.write_text(json.dumps(found))


def main(job, out):
    settings = load_job(job)
    started = start_mpi(lambda: Seconds(time.monotonic()), time.sleep, os.environ)
    transport = MpiTransport(
        started._comm, lambda: Seconds(time.monotonic()), time.sleep, fault_tolerant=True
    )
    if transport.rank == READER:
        read(transport, settings, out)
    else:
        serve(transport, settings, out.parent)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
