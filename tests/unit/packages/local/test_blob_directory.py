"""What only blobs in a directory have: files, modes, and disks. The rest: tests/contract."""

import errno
import os
import stat
from pathlib import Path

import pytest

from skep.digests import Digest
from skep.errors import Malformed
from skep.file_modes import PUBLIC_DIRECTORY, PUBLIC_FILE
from skep.packages.blobs import BlobsUnavailable
from skep.packages.local.blob_directory import BlobDirectory

ID = "an-upload-id-of-ours"
DATA = b"content"
DIGEST = Digest.of(DATA)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobDirectory:
    return BlobDirectory(tmp_path)


def upload(blobs: BlobDirectory) -> None:
    blobs.start(ID)
    blobs.append(ID, DATA)
    blobs.commit(ID, DIGEST)


def modes(root: Path) -> set[tuple[str, int]]:
    return {
        ("directory" if path.is_dir() else "file", stat.S_IMODE(path.stat().st_mode))
        for path in root.rglob("*")
    }


@pytest.mark.parametrize("how", ["put", "uploaded"])
def test_a_blob_lies_where_an_oci_layout_has_it(
    blobs: BlobDirectory, tmp_path: Path, how: str
) -> None:
    blobs.put(DATA) if how == "put" else upload(blobs)
    path = tmp_path / "blobs" / "sha256" / DIGEST.hexadecimal
    assert path.read_bytes() == DATA
    assert blobs.path(DIGEST) == path
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_nothing_is_touched_before_the_first_write(blobs: BlobDirectory, tmp_path: Path) -> None:
    assert blobs.size(DIGEST) is None
    assert list(blobs.digests()) == []
    assert blobs.uploads() == []
    blobs.remove(DIGEST)
    blobs.discard(ID)
    assert list(tmp_path.iterdir()) == []


def test_content_is_for_its_owner_alone_unless_it_is_for_all(tmp_path: Path) -> None:
    for name, made, wanted in (
        ("own", {}, {("directory", 0o700), ("file", 0o600)}),
        (
            "all",
            {"directory_mode": PUBLIC_DIRECTORY, "file_mode": PUBLIC_FILE},
            {("directory", 0o755), ("file", 0o644)},
        ),
    ):
        root = tmp_path / name
        root.mkdir()
        blobs = BlobDirectory(root, **made)
        blobs.put(b"other")
        upload(blobs)
        assert modes(root) == wanted


def test_files_that_no_digest_names_are_not_listed(blobs: BlobDirectory, tmp_path: Path) -> None:
    digest = blobs.put(DATA)
    for name in ("blobs/sha256/.incoming-1", "blobs/sha256/README", "blobs/sha1/" + "a" * 40):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert list(blobs.digests()) == [digest]


def test_a_link_is_not_followed(blobs: BlobDirectory, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(DATA)
    blobs.put(DATA)
    blobs.path(DIGEST).unlink()
    blobs.path(DIGEST).symlink_to(tmp_path / "secret")
    assert blobs.size(DIGEST) is None
    with pytest.raises(Malformed):
        blobs.read(DIGEST, 10)
    blobs.put(DATA)
    assert blobs.read(DIGEST, 10) == DATA
    assert not blobs.path(DIGEST).is_symlink()


def test_a_pipe_does_not_keep_us_waiting(blobs: BlobDirectory) -> None:
    blobs.put(DATA)
    blobs.path(DIGEST).unlink()
    os.mkfifo(blobs.path(DIGEST))
    assert blobs.size(DIGEST) is None
    with pytest.raises(Malformed):
        blobs.read(DIGEST, 10)


def test_a_file_larger_than_asked_for_is_not_read_whole(blobs: BlobDirectory) -> None:
    blobs.put(DATA)
    with blobs.path(DIGEST).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(Malformed):
        blobs.read(DIGEST, 1 << 20)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_does_not_take_it_leaves_no_blob(
    blobs: BlobDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    blobs.start(ID)
    blobs.append(ID, DATA)

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    for act in (lambda: blobs.put(DATA), lambda: blobs.commit(ID, DIGEST)):
        with pytest.raises(BlobsUnavailable, match=os.strerror(number)) as caught:
            act()
        assert str(tmp_path) not in caught.value.message + caught.value.hint
        assert blobs.size(DIGEST) is None
    assert blobs.uploads() == [ID]
    monkeypatch.undo()
    assert blobs.commit(ID, DIGEST) == len(DATA)


def test_a_root_that_is_gone_is_told_without_its_path_and_not_made_anew(tmp_path: Path) -> None:
    blobs = BlobDirectory(tmp_path / "gone")
    for act in (lambda: blobs.start(ID), lambda: blobs.put(DATA)):
        with pytest.raises(BlobsUnavailable) as caught:
            act()
        assert str(tmp_path) not in caught.value.message
    assert not (tmp_path / "gone").exists()
