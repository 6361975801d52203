import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skep.errors import Unavailable
from skep.node import locking
from skep.node.locking import LockUnusable, NodeBusy, locked, shared

HOLDER = """
import sys, time, pathlib
from skep.node.locking import locked
with locked(pathlib.Path(sys.argv[1]), 1):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, 0), pytest.raises(NodeBusy), locked(path, 0.05):
        pass


def test_it_can_be_taken_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "lock", 0):
            pass


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path / "lock", 0):
        raise RuntimeError
    with locked(tmp_path / "lock", 0):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
            str(path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(NodeBusy), locked(path, 0):
            pass
        holder.kill()
        with locked(path, 30):  # who held it would hold it for 60 seconds
            pass
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LockUnusable), locked(tmp_path / "lock", 0):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_is_not_a_missing_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, flags: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(locking, "open_file", full)
    with pytest.raises(Unavailable, match="No space left"), locked(tmp_path / "lock", 0.0):
        pass


BUSY = """
import sys, time, pathlib
from skep.node.locking import locked
while True:
    with locked(pathlib.Path(sys.argv[1]), 60):
        print("held", flush=True)
        time.sleep(0.05)
"""


def test_one_change_after_another_keeps_nobody_out(tmp_path: Path) -> None:
    """Whoever waits comes before the next change of the same command."""
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", BUSY, path], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout is not None
            assert busy.stdout.readline() == b"held\n"
            for _ in range(10):
                with shared(path, 60) as doubt:
                    assert doubt is None
                with locked(path, 60):
                    pass
        finally:
            busy.kill()
