"""The pretend hosts themselves: what is one's own, what is shared, what a fault does, what is left."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hosts.pretend import PretendHosts

pytestmark = pytest.mark.timeout(60)

LISTEN = "import socket; s=socket.create_server(('0.0.0.0',7)); print('up',flush=True); s.accept()"
REACH = "import socket,sys; socket.create_connection((sys.argv[1],7),1).recv(1)"


def namespaces() -> set[str]:
    """Network namespaces that some process of this machine lives in."""
    found: set[str] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.add(os.readlink(entry / "ns/net"))
            except OSError:
                continue
    return found


def said(hosts: PretendHosts, host: str, *argv: str) -> str:
    return hosts.run(host, *argv).stdout.strip()


def reaches(hosts: PretendHosts, source: str, target: str) -> str:
    """What becomes of a connection: "" if it is made and then closed by the other side."""
    with hosts.popen(target, [sys.executable, "-c", LISTEN], stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "up\n"
        tried = hosts.run(source, sys.executable, "-c", REACH, target)
        listener.terminate()
    return tried.stderr.strip().rpartition("\n")[2]


def test_hosts_have_names_memory_and_processes_of_their_own(
    make_hosts: Callable[..., PretendHosts],
):
    hosts = make_hosts(3)
    assert [said(hosts, name, "hostname") for name in hosts.names] == ["h0", "h1", "h2"]
    hosts.run("h0", "touch", "/dev/shm/x", f"{hosts.base}/local/y", f"{hosts.base}/shared")
    assert said(hosts, "h0", "ls", "/dev/shm") == "x"
    assert said(hosts, "h1", "ls", "/dev/shm", f"{hosts.base}/local").split("\n")[1:] != ["x"]
    assert said(hosts, "h1", "ls", f"{hosts.base}/shared")
    assert hosts.run("h1", "sh", "-c", "exit 7").returncode == 7
    assert hosts.run("h1", "no-such-program").returncode == 127
    assert reaches(hosts, "h0", "h2") == ""
    # The same numbers of processes on each host: a pid says nothing without its host.
    assert said(hosts, "h1", "sh", "-c", "ps -e -o pid= | head -1") in ("", "1")


def test_the_agent_is_like_ssh(make_hosts: Callable[..., PretendHosts]):
    hosts = make_hosts(2)
    assert (
        said(hosts, "h0", str(hosts.agent), "-x", "-o", "BatchMode=yes", "h1", "hostname") == "h1"
    )
    assert hosts.run("h0", hosts.agent, "h1", "exit 9").returncode == 9
    assert "OMP" not in said(hosts, "h0", str(hosts.agent), "h1", "env")
    hosts.lose("h1")
    refused = hosts.run("h0", hosts.agent, "h1", "hostname")
    assert (refused.returncode, "no route to host" in refused.stderr) == (255, True)
    hosts.boot("h1")
    assert said(hosts, "h0", str(hosts.agent), "h1", "hostname") == "h1"
    hosts.cut("h1")
    with hosts.popen("h0", [hosts.agent, "h1", "hostname"], stdout=subprocess.PIPE) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.0)
        hosts.heal("h1")
        assert waiting.wait(5) == 0


def test_a_lost_host_tells_the_others_and_one_that_is_cut_does_not(
    make_hosts: Callable[..., PretendHosts],
):
    hosts = make_hosts(3)
    assert "timed out" in _while_cut(hosts)
    assert reaches(hosts, "h0", "h1") == ""
    listener = hosts.popen("h1", [sys.executable, "-c", LISTEN], stdout=subprocess.PIPE)
    assert listener.stdout is not None
    assert listener.stdout.readline() == "up\n"
    hosts.lose("h1")
    assert listener.wait(5) == 255
    listener.stdout.close()
    assert hosts.processes("h1") == []
    assert "refused" in hosts.run("h0", sys.executable, "-c", REACH, "h1").stderr


def _while_cut(hosts: PretendHosts) -> str:
    hosts.cut("h1")
    try:
        return hosts.run("h0", sys.executable, "-c", REACH, "h1").stderr
    finally:
        hosts.heal("h1")


def test_nothing_is_left_behind_even_after_a_failure(make_hosts: Callable[..., PretendHosts]):
    script = (
        "import sys,os,pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from hosts.pretend import PretendHosts\n"
        "hosts = PretendHosts(2, pathlib.Path(sys.argv[2])); hosts.__enter__()\n"
        "hosts.popen('h1', ['sleep', '1000'])\n"
        "while not hosts.processes('h1'): pass\n"
        "nets = [os.readlink(f'/proc/{net.pid}/ns/net') for net in hosts._nets.values()]\n"
        "print(*nets, flush=True); os.kill(os.getpid(), 9)\n"
    )
    base = make_hosts(0).base / "more"
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", script, tests, str(base)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    made = set(ended.stdout.split())
    assert len(made) == 3, ended.stderr
    end = time.monotonic() + 20
    while namespaces() & made and time.monotonic() < end:
        time.sleep(0.05)
    assert namespaces() & made == set()
