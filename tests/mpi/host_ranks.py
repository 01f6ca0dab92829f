"""A rank that tells what reached it: `python host_ranks.py OUT`, under mpirun."""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

out = Path(sys.argv[1])
heard: list[int] = []
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU, signal.SIGUSR1):
    signal.signal(number, lambda which, _: heard.append(which))
rank = os.environ["OMPI_COMM_WORLD_RANK"]
told = {
    "pid": os.getpid(),
    "host": socket.gethostname(),
    "environment": dict(os.environ),
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "scratch": Path(os.environ["TMPDIR"]).is_dir(),
}
(out / f"{rank}.part").write_text(json.dumps(told))
(out / f"{rank}.part").rename(out / f"{rank}.json")
while not (out / "leave").exists():
    time.sleep(0.05)
(out / f"{rank}.heard").write_text(json.dumps(heard))
