from pathlib import Path

import pytest

from skep.digests import Digest, DigestMismatch, MalformedDigest
from skep.marketplace.registry.errors import (
    BlobUnknown,
    StoreUnavailable,
    TooLarge,
    UploadUnknown,
)
from skep.marketplace.registry.store.blob_files import BlobFiles

ID = "an-upload-id-of-ours"
DATA = b"content"
DIGEST = Digest.of(DATA)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobFiles:
    return BlobFiles(tmp_path)


def stored(blobs: BlobFiles, data: bytes = DATA) -> Digest:
    digest = Digest.of(data)
    blobs.start(ID)
    blobs.append(ID, data)
    assert blobs.commit(ID, digest) == len(data)
    return digest


def test_a_committed_blob_lies_where_an_oci_layout_has_it(blobs: BlobFiles, tmp_path: Path) -> None:
    stored(blobs)
    path = tmp_path / "blobs" / "sha256" / DIGEST.hexadecimal
    assert path.read_bytes() == DATA
    assert blobs.path(DIGEST) == path
    assert blobs.staged() == []


def test_a_staged_file_grows_and_is_no_blob(blobs: BlobFiles) -> None:
    blobs.start(ID)
    assert blobs.staged_size(ID) == 0
    assert blobs.append(ID, b"con") == 3
    assert blobs.append(ID, b"tent") == 7
    assert blobs.staged_size(ID) == 7
    assert blobs.path(DIGEST) is None
    assert blobs.staged() == [ID]


def test_a_wrong_digest_commits_nothing(blobs: BlobFiles) -> None:
    blobs.start(ID)
    blobs.append(ID, DATA + b"!")
    with pytest.raises(DigestMismatch):
        blobs.commit(ID, DIGEST)
    assert blobs.path(DIGEST) is None
    assert blobs.staged_size(ID) == 8


def test_committing_what_is_there_already_changes_nothing(blobs: BlobFiles) -> None:
    stored(blobs)
    stored(blobs)
    assert blobs.read(DIGEST, 100) == DATA


def test_reading_hashes_again(blobs: BlobFiles) -> None:
    stored(blobs)
    path = blobs.path(DIGEST)
    assert path is not None
    path.write_bytes(b"cont3nt")
    with pytest.raises(DigestMismatch):
        blobs.read(DIGEST, 100)


def test_reading_is_bounded(blobs: BlobFiles) -> None:
    stored(blobs)
    assert blobs.read(DIGEST, len(DATA)) == DATA
    with pytest.raises(TooLarge):
        blobs.read(DIGEST, len(DATA) - 1)


def test_what_is_not_there_is_unknown_and_deleting_it_is_nothing(blobs: BlobFiles) -> None:
    with pytest.raises(BlobUnknown):
        blobs.read(DIGEST, 100)
    with pytest.raises(UploadUnknown):
        blobs.append(ID, DATA)
    with pytest.raises(UploadUnknown):
        blobs.commit(ID, DIGEST)
    assert blobs.staged_size(ID) is None
    blobs.discard(ID)
    blobs.delete(DIGEST)


def test_deleted_is_gone(blobs: BlobFiles) -> None:
    stored(blobs)
    blobs.delete(DIGEST)
    assert blobs.path(DIGEST) is None


@pytest.mark.parametrize(
    "upload_id",
    [
        "../../blobs/sha256/x",
        "..",
        ".",
        "",
        "a" * 65,
        "short",
        "with space in the middle",
        "a\n" * 9,
    ],
)
def test_no_upload_id_leads_elsewhere(blobs: BlobFiles, upload_id: str) -> None:
    assert blobs.staged_size(upload_id) is None
    for act in (blobs.start, blobs.discard):
        with pytest.raises(UploadUnknown):
            act(upload_id)
    with pytest.raises(UploadUnknown):
        blobs.append(upload_id, b"")


def test_no_digest_leads_elsewhere(blobs: BlobFiles) -> None:
    with pytest.raises(MalformedDigest):
        blobs.path(Digest("sha256", "../../../etc/passwd"))


def test_two_uploads_never_share_a_file(blobs: BlobFiles) -> None:
    blobs.start(ID)
    with pytest.raises(StoreUnavailable):
        blobs.start(ID)


def test_a_directory_that_is_gone_is_told_without_its_path(
    blobs: BlobFiles, tmp_path: Path
) -> None:
    (tmp_path / "uploads").rmdir()
    with pytest.raises(StoreUnavailable) as caught:
        blobs.start(ID)
    assert str(tmp_path) not in caught.value.message
