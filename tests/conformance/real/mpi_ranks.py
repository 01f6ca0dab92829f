"""One rank of the conformance suite over MPI: mpi_ranks.py OUT VICTIM; a victim of -1 is nobody."""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import mpi4py

mpi4py.rc.finalize = False
from conformance.transport_suite import DIE, Box, whole_suite  # noqa: E402
from mpi4py import MPI  # noqa: E402

from qmpi.transport.mpi import MpiTransport, start_mpi  # noqa: E402

CHUNK_BYTES = 1 << 20
WINDOW_BYTES = 3 << 20


def main(out: Path, victim: int) -> None:
    # Started as a real job is, for its error handlers; then small limits split frames and fill the
    # window.
    started = start_mpi(time.monotonic, time.sleep, os.environ)
    transport = MpiTransport(
        MPI.COMM_WORLD,
        time.monotonic,
        time.sleep,
        fault_tolerant=started.fault_tolerant,
        chunk_bytes=CHUNK_BYTES,
        window_bytes=WINDOW_BYTES,
    )
    report = {"fault_tolerant": started.fault_tolerant, "error": ""}
    path = out / f"{transport.rank}.json"
    try:
        box = Box(transport, time.monotonic)
        for wish in whole_suite(box, None if victim < 0 else victim):
            if wish == DIE:
                path.write_text(json.dumps(report))
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.001)
    except BaseException:  # noqa: BLE001  whatever it is, pytest must read it
        report["error"] = traceback.format_exc()
    path.write_text(json.dumps(report))
    os._exit(0)


main(Path(sys.argv[1]), int(sys.argv[2]))
