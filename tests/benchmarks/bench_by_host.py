"""What a sum of integers sends between two hosts: over one line, and within hosts first.

Two network namespaces stand for hosts, joined by a pair of virtual cards, whose rate can be set
(Linux, as root). Members add up the same integers many times; counted is what the first host's card
has sent in a sum, and the median of the seconds that the slowest member took.

    python tests/benchmarks/bench_by_host.py --rate 400 --mib 8 --rounds 7

It prints one JSON object: megabytes and seconds, by how members lie and which way the sum goes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LYING = {"side by side": "aabb", "in turns": "abab", "eight in turns": "abababab"}
SPACES = {"a": "qmpi-host-a", "b": "qmpi-host-b"}
ADDRESSES = {"a": "10.77.0.1", "b": "10.77.0.2"}
CARD = "qmpi-"


def member(chosen):
    import torch

    from qmpi.training.comm.hosts import meet_by_host
    from qmpi.training.comm.line import Comm
    from qmpi.training.comm.lines import Meeting
    from qmpi.training.comm.store import connect_store, open_store
    from qmpi.training.comm.sums import Sums

    torch.set_num_threads(1)
    lying, index = LYING[chosen.lying.replace("_", " ")], chosen.rank
    address = Path(chosen.meeting) / "address"
    if index == 0:
        store, there = open_store(ADDRESSES["a"])
        (address.parent / "new").write_text(there)
        (address.parent / "new").rename(address)
    else:
        while not address.exists():
            time.sleep(0.01)
        store = connect_store(address.read_text(), 60)
    line = Comm(
        store=store, name="g1", index=index, size=len(lying), timeout_seconds=300,
        aborted=lambda: None,
    )  # fmt: skip
    made = meet_by_host(line, "data/0", lying[index], Meeting(store, "g1", 300, lambda: None))
    told = {}
    for way, by_host in (("one line", None), ("by host", made)):
        line.by_host = by_host
        seconds, sent = [], []
        for _ in range(chosen.rounds + 1):
            tensor = torch.full((chosen.mib * 2**18,), index + 1, dtype=torch.int32)
            line.vote()
            before, begun = card_bytes(lying[index]), time.perf_counter()
            sums = Sums(line)
            sums.begin(tensor)
            sums.wait()
            seconds.append(time.perf_counter() - begun)
            line.vote()
            sent.append(card_bytes(lying[index]) - before)
            if int(tensor[-1]) != len(lying) * (len(lying) + 1) // 2:
                raise SystemExit("a sum is wrong")
        told[way] = [seconds[1:], sent[1:]]
    (address.parent / f"told{index}").write_text(json.dumps(told))
    line.vote()
    os._exit(0)


def card_bytes(host):
    lines = Path("/proc/self/net/dev").read_text().splitlines()
    own = next(line for line in lines if f"{CARD}{host}:" in line)
    return int(own.split(":")[1].split()[8])


def run(command):
    subprocess.run(command.split(), check=True)


def make_hosts(rate):
    for space in SPACES.values():
        run(f"ip netns add {space}")
    run(f"ip link add {CARD}a type veth peer name {CARD}b")
    for host, space in SPACES.items():
        run(f"ip link set {CARD}{host} netns {space}")
        inside = f"ip netns exec {space}"
        run(f"{inside} ip addr add {ADDRESSES[host]}/24 dev {CARD}{host}")
        run(f"{inside} ip link set {CARD}{host} up")
        run(f"{inside} ip link set lo up")
        if rate:
            shape = f"tbf rate {rate}mbit burst 256kb latency 1s"
            run(f"{inside} tc qdisc add dev {CARD}{host} root {shape}")


def drop_hosts():
    for space in SPACES.values():
        subprocess.run(["ip", "netns", "del", space], check=False, stderr=subprocess.DEVNULL)


def measured(name, arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TORCH_GLOO_LAZY_INIT": "1"}
    with tempfile.TemporaryDirectory() as meeting:
        command = [sys.executable, __file__, *arguments, "--meeting", meeting, "--lying"]
        members = [
            subprocess.Popen(
                ["ip", "netns", "exec", SPACES[host], *command, name.replace(" ", "_"),
                 "--rank", str(index)], env=environment,
            )
            for index, host in enumerate(LYING[name])
        ]  # fmt: skip
        if any(one.wait(600) for one in members):
            raise SystemExit("a member failed")
        told = [
            json.loads((Path(meeting) / f"told{index}").read_text())
            for index in range(len(members))
        ]
    return {
        way: {
            "seconds": round(
                statistics.median(map(max, zip(*(one[way][0] for one in told), strict=True))), 3
            ),
            "sent_mb": round(statistics.median(told[0][way][1]) / 1e6, 2),
        }
        for way in told[0]
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=400, help="Mbit/s each way; 0: as it is")
    parser.add_argument("--mib", type=int, default=8, help="size of the sum")
    parser.add_argument("--rounds", type=int, default=7)
    for hidden in ("--meeting", "--lying"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, default=-1, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.rank >= 0:
        member(chosen)
    drop_hosts()
    make_hosts(chosen.rate)
    try:
        found = {name: measured(name, sys.argv[1:]) for name in LYING}
    finally:
        drop_hosts()
    size = chosen.mib * 2**20 / 1e6
    sys.stdout.write(json.dumps({"mbit": chosen.rate, "sum_mb": round(size, 2), **found}) + "\n")


if __name__ == "__main__":
    main()
