"""The demo's marketplace: a child that cannot outlive its parent."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from skep.cli.demo.server import marketplace, url_of
from skep.cli.environment import Environment, read_environment
from skep.cli.interrupts import deferred_interrupts
from skep.cli.keyring import KeyRing
from skep.errors import Unavailable


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return read_environment({**os.environ, "SKEP_ROOT": str(tmp_path / "root")}, 1)


def test_it_serves_until_the_block_ends(environment: Environment) -> None:
    ring = KeyRing(environment.keys)
    ring.create("demo")
    pids: list[int] = []
    with marketplace(environment, "skep", ring.directory / "demo.pub", pids.append) as server:
        assert url_of(server).startswith("http://127.0.0.1:")
        assert pids == [server.pid]
    assert server.returncode == 0


def test_an_interrupt_while_it_is_started_ends_it(environment: Environment) -> None:
    pids: list[int] = []

    def started(pid: int) -> None:
        pids.append(pid)
        os.kill(os.getpid(), signal.SIGINT)

    def start() -> None:
        with ExitStack() as opened, deferred_interrupts():
            opened.enter_context(marketplace(environment, "skep", Path("none.pub"), started))

    with pytest.raises(KeyboardInterrupt):
        start()
    assert not Path(f"/proc/{pids[0]}").exists()


def test_one_that_does_not_start_says_why(environment: Environment) -> None:
    with (
        marketplace(environment, "skep", Path("none.pub"), lambda _: None) as server,
        pytest.raises(Unavailable) as caught,
    ):
        url_of(server)
    assert "none.pub" in str(caught.value.detail)
