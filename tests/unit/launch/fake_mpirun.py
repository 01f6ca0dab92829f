"""Stands in for mpirun: plays one line of the plan file named by FAKE_PLAN for each start.

A line is a list of words: `rank` starts a process of this session that sleeps, as a rank would;
`file` writes its rank file; `lose` kills it; `pause` sleeps a second; `up` writes a status;
`say:TEXT` prints; `args` notes the arguments; `deny` removes a stop request, once there is one;
`end:STATE:CODE` writes an end marker; `wait` waits for a stop request; `stay` sleeps; `deaf`
ignores SIGTERM and SIGINT; `die` ends by SIGKILL.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from qmpi.protocol.status import EndMarker
from qmpi.storage.rank_files import RankProcess, start_ticks
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.status_file import write_end

directory = RunDirectory(Path(sys.argv[sys.argv.index("--run-dir") + 1]))
plan = Path(os.environ["FAKE_PLAN"])
lines = plan.read_text().splitlines()
plan.write_text("\n".join(lines[1:]))
child: subprocess.Popen[bytes] | None = None
for word in lines[0].split():
    name, _, rest = word.partition(":")
    if name == "rank":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        with (plan.parent / "pids").open("a") as pids:
            pids.write(f"{child.pid}\n")
    elif name == "file":
        import msgspec

        assert child is not None
        directory.ranks.mkdir(exist_ok=True)
        process = RankProcess(0, child.pid, os.uname().nodename, start_ticks(child.pid))
        (directory.ranks / "0.json").write_bytes(msgspec.json.encode(process))
    elif name == "lose":
        assert child is not None
        child.kill()
        child.wait()
    elif name == "pause":
        time.sleep(1)
    elif name == "args":
        with (plan.parent / "args").open("a") as arguments:
            arguments.write(" ".join(sys.argv[1:]) + "\n")
    elif name == "deny":
        while not directory.stop_request.exists():
            time.sleep(0.01)
        directory.stop_request.unlink()
    elif name == "up":
        directory.status.write_text("{}")
    elif name == "say":
        sys.stderr.write(rest + "\n")
    elif name == "end":
        state, code, *more = rest.split(":")
        marker = EndMarker(
            state=state,
            exit_code=int(code),
            step=5,
            digest="ab",
            reason="",
            time=0.0,
            goes_back=more == ["goes_back"],
        )
        write_end(directory.root, marker)
    elif name == "wait":
        while not directory.stop_request.exists():
            time.sleep(0.01)
    elif name == "stay":
        (plan.parent / "staying").touch()
        time.sleep(60)
    elif name == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    elif name == "die":
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
# Leaves its ranks behind, as a broken mpirun does.
os._exit(0)
