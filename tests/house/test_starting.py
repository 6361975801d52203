"""A command that is forked from a process that has loaded Skep is as the one people type."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.builders.commands import Ran, Skep
from tests.builders.starting import start


def typed(skep: Skep, *arguments: str, cwd: Path) -> Ran:
    """What the real command line does."""
    done = subprocess.run(
        skep.words(*arguments),
        env=skep.variables,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ("help", "install"),
        ("version", "--json"),
        ("nonsense",),
        ("show", "--json"),
        ("inspect", "not-there.o"),
        ("build", "."),
        ("keys", "list"),
        ("list", "--json"),
    ],
    ids=" ".join,
)
def test_it_says_the_same(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = tmp_path / "wörk"
    folder.mkdir()
    skep = Skep(tmp_path / "root")
    assert skep(*words, cwd=folder) == typed(skep, *words, cwd=folder)


def test_it_has_its_own_environment(tmp_path: Path) -> None:
    first, second = (Skep(tmp_path / name) for name in ("first", "second"))
    first.ok("keys", "create", "mine")
    assert "mine" in first.ok("keys", "list").out
    assert "mine" not in second.ok("keys", "list").out


def test_it_takes_signals_and_what_waits_for_it_is_told(tmp_path: Path) -> None:
    skep = Skep(tmp_path / "root")
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        with (tmp_path / "said").open("wb+") as said:
            inside, until = os.pipe()
            process = start(
                ["serve", "--json", "--port", "0", "--until-stdin-ends"],
                [inside, said.fileno(), said.fileno()],
                skep.variables,
            )
            while not (tmp_path / "said").read_bytes().rstrip().endswith(b"\n}"):
                time.sleep(0.01)
            os.kill(process.pid, number)
            assert process.wait(30) == code
            os.close(inside)
            os.close(until)


def test_several_run_beside_each_other(tmp_path: Path) -> None:
    skep = Skep(tmp_path / "root")
    with skep.serving(), Skep(tmp_path / "other").serving() as commands:
        assert commands.ok("search", "--json").document["packages"] == []
