"""Kept copies on a disk that is really full, and on one that is really read-only."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.deployments import linked
from tests.builders.kept import FULL

from skep.node.store.kept import KeptFiles, KeptUnavailable

pytestmark = pytest.mark.kernel


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 KiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k,mode=700", "skep-test", str(tmp_path)]
    subprocess.run(mount, check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_keeps_what_was_kept_and_nothing_half_written(disk: Path) -> None:
    kept = KeptFiles(disk / "kept")
    one = kept.keep(FULL)
    filling = disk / "filling"
    with pytest.raises(OSError, match="No space"):
        filling.write_bytes(bytes(64 << 10))
    with pytest.raises(KeptUnavailable, match="No space"):
        kept.keep(linked("other"))
    assert len(list((disk / "kept").iterdir())) == 1
    assert kept.kept(one) == FULL
    assert kept.keep(FULL) == one  # it is there already and needs no room
    filling.unlink()
    assert kept.kept(kept.keep(linked("other"))) == linked("other")


def test_a_read_only_disk_is_read_and_not_written(
    disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = KeptFiles(disk / "kept")
    one = kept.keep(FULL)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(KeptUnavailable, match="Read-only"):
        kept.keep(linked("other"))
    assert kept.kept(one) == FULL
    kept.forget_except([])
    assert "kept copy not removed" in caplog.text
    assert kept.kept(one) == FULL
