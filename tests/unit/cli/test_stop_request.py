"""Signals that ask a command to stop, as schedulers, terminals and people send them."""

import os
import signal
import subprocess
import sys
import time

import pytest

from qmpi.cli.stop_request import INSISTENT, WARNING, StopRequest


@pytest.mark.parametrize("number", [*INSISTENT, *WARNING])
def test_every_signal_asks_once(number: signal.Signals) -> None:
    stop = StopRequest()
    before = signal.getsignal(number)
    with stop.heard():
        assert not stop()
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        assert stop()
    assert signal.getsignal(number) == before


def test_only_a_second_signal_that_insists_ends_the_command() -> None:
    stop = StopRequest()
    for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR2):
        stop.on_signal(number, None)
    with pytest.raises(KeyboardInterrupt):
        stop.on_signal(signal.SIGINT, None)


def test_a_scheduler_and_its_script_may_both_send_the_same_order() -> None:
    now = 100.0
    stop = StopRequest(lambda: now)
    stop.on_signal(signal.SIGTERM, None)
    now = 102.0
    stop.on_signal(signal.SIGTERM, None)
    now = 104.9
    stop.on_signal(signal.SIGTERM, None)
    now = 105.1
    with pytest.raises(KeyboardInterrupt):
        stop.on_signal(signal.SIGTERM, None)


def test_a_person_need_not_wait_to_insist() -> None:
    stop = StopRequest(lambda: 100.0)
    stop.on_signal(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        stop.on_signal(signal.SIGINT, None)


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop = StopRequest()
        with stop.heard():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
        assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


SCRIPT = """
import os, signal, sys
from qmpi.cli.stop_request import StopRequest
stop = StopRequest()
with stop.heard():
    print("ready", flush=True)
    while not stop():
        signal.pause()
    try:
        print("into the void", flush=True)
    except OSError:
        os._exit(9)
    os._exit(7)  # within: the end of a terminal may send a signal of its own
"""


def test_what_a_command_says_after_its_terminal_is_gone_does_not_end_it() -> None:
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        assert b"ready" in os.read(master, 100)
        os.close(master)
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 7
    finally:
        process.kill()
        process.wait()
