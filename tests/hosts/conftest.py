"""Pretend hosts for the tests of this folder; where there can be none, they say why and skip."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hosts.pretend import PretendHosts, missing


@pytest.fixture(scope="session")
def why_not() -> str:
    """Why there can be no pretend hosts; "" if there can."""
    return missing()


@pytest.fixture
def make_hosts(why_not: str) -> Iterator[Callable[..., PretendHosts]]:
    """Makes pretend hosts that last as long as the test."""
    if why_not:
        pytest.skip(why_not)
    with ExitStack() as stack:

        def make(number: int, **options: int) -> PretendHosts:
            # Not below pytest's own folder: a socket's path has room for a hundred letters.
            base = Path(tempfile.mkdtemp(prefix="qmpi-hosts-"))
            stack.callback(shutil.rmtree, base)
            return stack.enter_context(PretendHosts(number, base, **options))

        yield make
