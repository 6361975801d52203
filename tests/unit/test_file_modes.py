"""Modes are what was asked for, whatever the umask."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skep.cli.keyring import KeyRing
from skep.file_modes import create_file, make_directory, open_file, replace_file
from skep.node.locking import locked
from skep.node.store.state import SqliteState
from skep.node.verified.trust_store import TrustStore
from skep.packages.local.content_store import ContentStore
from skep.trust.keys import create_private_key, load_private_key

UMASKS = [0o000, 0o002, 0o077, 0o777]
pytestmark = pytest.mark.parametrize("mask", UMASKS, ids=oct)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(root: Path) -> dict[str, str]:
    """Modes of everything below a directory, by its name."""
    return {
        str(path.relative_to(root)): f"{stat.S_IMODE(path.lstat().st_mode):o}"
        for path in root.rglob("*")
    }


def test_a_directory_and_its_parents_get_the_mode(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        make_directory(tmp_path / "a" / "b" / "c")
        make_directory(tmp_path / "open" / "house", 0o755)
        make_directory(tmp_path / "a" / "b" / "c")
    assert modes(tmp_path) == {
        "a": "700",
        "a/b": "700",
        "a/b/c": "700",
        "open": "755",
        "open/house": "755",
    }


def test_what_is_there_keeps_its_mode(tmp_path: Path, mask: int) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory").chmod(0o750)
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o640)
    with umask(mask):
        make_directory(tmp_path / "directory")
        os.close(open_file(tmp_path / "file", os.O_RDWR))
    assert modes(tmp_path) == {"directory": "750", "file": "640"}


def test_files_get_the_mode(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        os.close(open_file(tmp_path / "lock", os.O_RDWR))
        create_file(tmp_path / "private", b"x")
        replace_file(tmp_path / "public", b"x", 0o644)
        replace_file(tmp_path / "public", b"y", 0o644)
    assert modes(tmp_path) == {"lock": "600", "private": "600", "public": "644"}
    assert (tmp_path / "public").read_bytes() == b"y"


def test_what_a_node_makes(tmp_path: Path, mask: int) -> None:
    root = tmp_path / "root"
    key = load_private_key(create_private_key()).public_key
    with umask(mask):
        trust = TrustStore(root / "trust")
        trust.add("acme", key)
        assert trust.keys_of("acme") == (key,)
        KeyRing(root / "keys").create("default")
        KeyRing(root / "keys").signer("default")
        digest = ContentStore(root / "content").put_blob(b"hello")
        with locked(root / "lock", 0.0), SqliteState(root / "node.db"):
            found = modes(root)
    blob = digest.hexadecimal
    pem = f"{key.fingerprint.removeprefix('SHA256:')}.pem"
    assert root.stat().st_mode & 0o777 == 0o700
    assert found == {
        "trust": "700",
        "trust/acme": "700",
        f"trust/acme/{pem}": "644",
        "keys": "700",
        "keys/default.key": "600",
        "keys/default.pub": "644",
        "content": "755",
        "content/oci-layout": "644",
        "content/blobs": "755",
        "content/blobs/sha256": "755",
        f"content/blobs/sha256/{blob}": "644",
        "lock": "600",
        "lock.queue": "600",
        "node.db": "600",
        **{name: "600" for name in found if name in {"node.db-wal", "node.db-shm"}},
    }


@pytest.mark.parametrize("write", [create_file, replace_file])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path,
    mask: int,
    write: Callable[[Path, bytes], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with umask(mask), pytest.raises(OSError, match="No space left"):
        write(tmp_path / "file", b"half of it")
    assert modes(tmp_path) == {}


def test_exclusive_creation_refuses_what_is_there(tmp_path: Path, mask: int) -> None:
    (tmp_path / "key").write_bytes(b"first")
    with umask(mask), pytest.raises(FileExistsError):
        create_file(tmp_path / "key", b"second")
    with umask(mask), pytest.raises(FileExistsError):
        make_directory(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == b"first"


def test_a_directory_below_a_file_is_refused(tmp_path: Path, mask: int) -> None:
    (tmp_path / "file").touch()
    with umask(mask), pytest.raises(NotADirectoryError):
        make_directory(tmp_path / "file" / "directory")
