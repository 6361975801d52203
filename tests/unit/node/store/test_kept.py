"""Kept copies in files: what each step of reading stops, and writing that goes wrong."""

import os
import resource
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.builders.deployments import linked
from tests.builders.kept import FULL

from skep.digests import Digest, DigestMismatch, MalformedDigest
from skep.errors import Malformed, NotPermitted, Unavailable
from skep.node.kept_ports import KeptDamaged, KeptLost
from skep.node.store.kept import KeptFiles, KeptNotAccessible, KeptUnavailable
from skep.node.store.linked_document import LARGEST_LINKED, write_linked

STRANGER = 54321
DATA = write_linked(FULL)
DIGEST = Digest.of(DATA)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def path(directory: Path) -> Path:
    """Of a copy that is there."""
    KeptFiles(directory).keep(FULL)
    return directory / f"{DIGEST.hexadecimal}.json"


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


# Writing


def test_a_copy_is_its_document_under_its_digest(directory: Path) -> None:
    assert KeptFiles(directory).keep(FULL) == DIGEST
    assert [each.name for each in directory.iterdir()] == [f"{DIGEST.hexadecimal}.json"]
    assert (directory / f"{DIGEST.hexadecimal}.json").read_bytes() == DATA


@pytest.mark.parametrize("value", [0o000, 0o022, 0o777])
def test_only_this_user_reads_and_writes_whatever_the_umask(directory: Path, value: int) -> None:
    with umask(value):
        KeptFiles(directory).keep(FULL)
    assert mode(directory) == 0o700
    assert mode(directory / f"{DIGEST.hexadecimal}.json") == 0o600


def test_an_open_directory_is_closed(directory: Path) -> None:
    directory.mkdir()
    directory.chmod(0o777)
    KeptFiles(directory).keep(FULL)
    assert mode(directory) == 0o700


def test_what_is_there_is_not_written_again(directory: Path, path: Path) -> None:
    before = path.stat()
    KeptFiles(directory).keep(FULL)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def _link_it(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.chmod(0o666), id="writable-by-others"),
        pytest.param(_link_it, id="symbolic-link"),
    ],
)
def test_what_is_there_and_cannot_be_used_is_replaced(
    directory: Path, path: Path, damage: Callable[[Path], object]
) -> None:
    damage(path)
    KeptFiles(directory).keep(FULL)
    assert KeptFiles(directory).kept(DIGEST) == FULL
    assert not path.is_symlink()
    assert mode(path) == 0o600


def test_a_write_that_fails_leaves_nothing(directory: Path, path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))  # bytes; as a disk that becomes full
    try:
        with pytest.raises(KeptUnavailable, match="cannot be written") as raised:
            KeptFiles(directory).keep(linked("other"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(raised.value, Unavailable)
    assert list(directory.iterdir()) == [path]
    assert KeptFiles(directory).kept(DIGEST) == FULL


def test_a_failed_write_leaves_a_damaged_copy_as_it_was(directory: Path, path: Path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(KeptUnavailable):
        KeptFiles(directory).keep(FULL)
    assert list(directory.iterdir()) == [path]


@needs_root
def test_nothing_is_kept_in_the_directory_of_another_user(directory: Path) -> None:
    directory.mkdir()
    os.chown(directory, STRANGER, -1)
    with pytest.raises(KeptNotAccessible) as raised:
        KeptFiles(directory).keep(FULL)
    assert isinstance(raised.value, NotPermitted)
    assert list(directory.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_where_this_user_may_not_write_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir(mode=0o500)
    with pytest.raises(KeptNotAccessible):
        KeptFiles(tmp_path / "root" / "kept").keep(FULL)


def test_something_else_in_the_place_of_the_directory(directory: Path, tmp_path: Path) -> None:
    directory.write_bytes(b"")
    with pytest.raises(KeptUnavailable):
        KeptFiles(directory).keep(FULL)
    with pytest.raises(KeptUnavailable):
        KeptFiles(tmp_path / "no" / "parent").keep(FULL)


# Reading, step by step


def test_without_a_directory_everything_is_lost(directory: Path) -> None:
    with pytest.raises(KeptLost):
        KeptFiles(directory).kept(DIGEST)
    assert not directory.exists()


@pytest.mark.parametrize("text", ["../outside", "/etc/passwd", "", "AB" * 32, "ab" * 32 + "\n"])
def test_1_a_digest_that_is_a_path_leads_nowhere(directory: Path, path: Path, text: str) -> None:
    (directory.parent / "outside.json").write_bytes(DATA)
    with pytest.raises(MalformedDigest):
        KeptFiles(directory).kept(Digest("sha256", text))


def test_2_symbolic_links_are_not_followed(directory: Path, path: Path, tmp_path: Path) -> None:
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeptDamaged, match="plain file"):
        KeptFiles(directory).kept(DIGEST)


def test_2_nor_is_one_in_the_place_of_the_directory(directory: Path, path: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))
    directory.symlink_to("elsewhere")
    with pytest.raises(KeptDamaged, match="a directory"):
        KeptFiles(directory).kept(DIGEST)
    with pytest.raises(KeptUnavailable):
        KeptFiles(directory).keep(FULL)


def test_2_a_pipe_does_not_block(directory: Path, path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(KeptDamaged, match="plain file"):
        KeptFiles(directory).kept(DIGEST)


def test_2_a_directory_is_no_copy(directory: Path, path: Path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(KeptDamaged, match="plain file"):
        KeptFiles(directory).kept(DIGEST)


def test_2_a_socket_is_no_copy(
    directory: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.unlink()
    monkeypatch.chdir(directory)  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
        with pytest.raises(KeptDamaged, match="plain file"):
            KeptFiles(directory).kept(DIGEST)


@pytest.mark.parametrize("bits", [0o620, 0o602, 0o666])
def test_2_what_others_may_write_is_not_used(directory: Path, path: Path, bits: int) -> None:
    path.chmod(bits)
    with pytest.raises(KeptDamaged, match="writable by this user alone"):
        KeptFiles(directory).kept(DIGEST)


@needs_root
def test_2_what_another_user_owns_is_not_used(directory: Path, path: Path) -> None:
    os.chown(path, STRANGER, -1)
    with pytest.raises(KeptDamaged, match=str(STRANGER)):
        KeptFiles(directory).kept(DIGEST)


def test_2_a_file_without_end_does_not_fill_the_memory(directory: Path, path: Path) -> None:
    os.truncate(path, 1 << 40)
    with pytest.raises(KeptDamaged, match=f"at most {LARGEST_LINKED}"):
        KeptFiles(directory).kept(DIGEST)


def test_3_a_genuine_copy_in_the_place_of_another_is_not_used(directory: Path, path: Path) -> None:
    path.write_bytes(write_linked(linked("other")))
    with pytest.raises(KeptDamaged) as raised:
        KeptFiles(directory).kept(DIGEST)
    assert isinstance(raised.value.__cause__, DigestMismatch)


def test_3_what_has_another_digest_is_not_parsed(directory: Path, path: Path) -> None:
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(KeptDamaged) as raised:
        KeptFiles(directory).kept(DIGEST)
    assert isinstance(raised.value.__cause__, DigestMismatch)


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, DATA.replace(b'"maps"', b'"spam"')])
def test_4_what_is_no_document_is_damaged(directory: Path, path: Path, data: bytes) -> None:
    digest = Digest.of(data)
    path.rename(directory / f"{digest.hexadecimal}.json")
    (directory / f"{digest.hexadecimal}.json").write_bytes(data)
    with pytest.raises(KeptDamaged) as raised:
        KeptFiles(directory).kept(digest)
    assert isinstance(raised.value.__cause__, Malformed)


# Forgetting


def test_forgetting_clears_up_after_a_crash(directory: Path, path: Path) -> None:
    (directory / f".incoming-{'0' * 32}").write_bytes(DATA[:100])
    KeptFiles(directory).forget_except([DIGEST])
    assert list(directory.iterdir()) == [path]


def test_forgetting_leaves_what_is_not_ours(directory: Path, path: Path) -> None:
    names = {"README", "notes.json", f"{'0' * 63}.json", ".incoming-", f"{DIGEST.hexadecimal}.bak"}
    for name in names:
        (directory / name).write_bytes(b"")
    KeptFiles(directory).forget_except([])
    assert {each.name for each in directory.iterdir()} == names


def test_forgetting_a_symbolic_link_leaves_what_it_leads_to(
    directory: Path, path: Path, tmp_path: Path
) -> None:
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    KeptFiles(directory).forget_except([])
    assert list(directory.iterdir()) == []
    assert (tmp_path / "elsewhere").read_bytes() == DATA


def test_a_copy_that_cannot_be_removed_is_logged_and_the_others_go(
    directory: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = directory / f"{'0' * 64}.json"  # the first in order
    stuck.mkdir()
    KeptFiles(directory).forget_except([])
    assert list(directory.iterdir()) == [stuck]
    assert "kept copy not removed" in caplog.text


def test_forgetting_where_nothing_can_be_read_is_logged(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    KeptFiles(directory).forget_except([])
    assert caplog.text == ""
    directory.write_bytes(b"")
    KeptFiles(directory).forget_except([])
    assert "kept copies not tidied" in caplog.text
