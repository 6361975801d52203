"""What every form of blobs promises, also under attack: a directory, and memory."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fakes.blobs import MemoryBlobs

from skep.digests import Digest, DigestMismatch, MalformedDigest
from skep.errors import NotFound, Unavailable, Untrusted
from skep.packages.blobs import (
    CHUNK_BYTES,
    BlobsUnavailable,
    BlobTooLarge,
    NoSuchBlob,
    NoSuchUpload,
    UploadedBlobs,
)
from skep.packages.local.blob_directory import BlobDirectory

ID = "an-upload-id-of-ours"
OTHER_ID = "another-upload-id-of-ours"
DATA = b"content"
DIGEST = Digest.of(DATA)
LARGE = os.urandom(16) * (CHUNK_BYTES // 8) + b"the end"  # more than two pieces
EXAMPLES = [
    pytest.param(b"", id="empty"),
    pytest.param(DATA, id="small"),
    pytest.param(LARGE[:CHUNK_BYTES], id="one-whole-piece"),
    pytest.param(LARGE, id="pieces"),
]


@dataclass(frozen=True)
class Port:
    """Blobs, what can happen to them, and the same blobs for another process."""

    blobs: UploadedBlobs
    damage: Callable[[Digest, bytes], object]
    again: Callable[[], UploadedBlobs]


@pytest.fixture(params=["directory", "memory"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Port:
    if request.param == "memory":
        memory = MemoryBlobs()
        return Port(memory, memory.content.__setitem__, lambda: memory)
    directory = BlobDirectory(tmp_path)
    return Port(
        directory,
        lambda digest, data: directory.path(digest).write_bytes(data),
        lambda: BlobDirectory(tmp_path),
    )


@pytest.fixture
def blobs(port: Port) -> UploadedBlobs:
    return port.blobs


def uploaded(blobs: UploadedBlobs, data: bytes = DATA, upload_id: str = ID) -> Digest:
    blobs.start(upload_id)
    blobs.append(upload_id, data)
    digest = Digest.of(data)
    assert blobs.commit(upload_id, digest) == len(data)
    return digest


def together(*works: Callable[[], object]) -> list[BaseException]:
    """Do all at the same moment; gives what they raised."""
    barrier = threading.Barrier(len(works))
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (the test looks at it)
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


# What is there


@pytest.mark.parametrize("data", EXAMPLES)
def test_what_was_put_is_read_by_its_digest(blobs: UploadedBlobs, data: bytes) -> None:
    digest = blobs.put(data)
    assert digest == Digest.of(data)
    assert blobs.read(digest, len(data)) == data
    assert blobs.size(digest) == len(data)
    with blobs.open(digest) as chunks:
        pieces = list(chunks)
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= CHUNK_BYTES for piece in pieces)


def test_what_was_never_put_is_not_there(blobs: UploadedBlobs) -> None:
    assert blobs.size(DIGEST) is None
    assert list(blobs.digests()) == []
    with pytest.raises(NoSuchBlob) as raised:
        blobs.read(DIGEST, 100)
    assert isinstance(raised.value, NotFound)
    with pytest.raises(NoSuchBlob):
        blobs.open(DIGEST).__enter__()
    blobs.remove(DIGEST)


def test_all_blobs_are_listed_and_no_uploads(blobs: UploadedBlobs) -> None:
    wanted = sorted([blobs.put(DATA), blobs.put(b""), uploaded(blobs, b"other")])
    blobs.start(ID)
    assert list(blobs.digests()) == wanted


def test_a_removed_blob_is_gone_and_no_other(blobs: UploadedBlobs) -> None:
    other = blobs.put(b"other")
    blobs.remove(blobs.put(DATA))
    assert blobs.size(DIGEST) is None
    assert list(blobs.digests()) == [other]
    assert blobs.read(other, 10) == b"other"
    assert blobs.put(DATA) == DIGEST
    assert blobs.read(DIGEST, 10) == DATA


def test_sha512_names_a_blob_as_well(blobs: UploadedBlobs) -> None:
    digest = Digest.of(DATA, "sha512")
    blobs.start(ID)
    blobs.append(ID, DATA)
    assert blobs.commit(ID, digest) == len(DATA)
    assert blobs.read(digest, 10) == DATA
    assert blobs.size(DIGEST) is None


def test_another_process_sees_the_same_blobs(port: Port) -> None:
    digest = port.blobs.put(DATA)
    assert port.again().read(digest, 10) == DATA
    port.again().remove(digest)
    assert port.blobs.size(digest) is None


# Damaged, changed, too large


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "pieces"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-1], id="truncated"),
        pytest.param(lambda data: data[: len(data) // 2], id="half"),
        pytest.param(lambda _: b"", id="emptied"),
        pytest.param(lambda data: data + b"!", id="longer"),
        pytest.param(lambda data: data[:-1] + b"!", id="last-byte"),
        pytest.param(lambda data: b"!" + data[1:], id="first-byte"),
        pytest.param(lambda data: bytes(len(data)), id="zeroes"),
    ],
)
def test_damaged_content_is_never_given_whole(
    port: Port, data: bytes, change: Callable[[bytes], bytes]
) -> None:
    digest = port.blobs.put(data)
    port.damage(digest, change(data))
    with pytest.raises(DigestMismatch) as raised:
        port.blobs.read(digest, 2 * len(LARGE))
    assert isinstance(raised.value, Untrusted)
    given = bytearray()
    with port.blobs.open(digest) as chunks, pytest.raises(DigestMismatch):
        given.extend(byte for chunk in chunks for byte in chunk)
    assert len(given) < len(change(data)) or not change(data)
    port.blobs.put(data)
    assert port.blobs.read(digest, len(data)) == data, "putting it again repairs it"


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "pieces"])
def test_reading_is_bounded(blobs: UploadedBlobs, data: bytes) -> None:
    digest = blobs.put(data)
    assert blobs.read(digest, len(data)) == data
    for limit in (len(data) - 1, 0):
        with pytest.raises(BlobTooLarge):
            blobs.read(digest, limit)


def test_a_digest_that_was_made_without_parsing_leads_nowhere(blobs: UploadedBlobs) -> None:
    for digest in (
        Digest("sha256", "../../../etc/passwd"),
        Digest("../sha256", "a" * 64),
        Digest("sha256", "A" * 64),
        Digest("sha1", "a" * 40),
    ):
        for act in (blobs.size, blobs.remove, lambda one: blobs.read(one, 10)):
            with pytest.raises(MalformedDigest):
                act(digest)
        blobs.start(ID)
        with pytest.raises(MalformedDigest):
            blobs.commit(ID, digest)
        blobs.discard(ID)


# At the same time


def test_the_same_blob_written_at_once_is_there_whole(blobs: UploadedBlobs) -> None:
    def upload(number: int) -> None:
        uploaded(blobs, LARGE, f"{ID}-{number}")

    def put() -> None:
        blobs.put(LARGE)

    works = [lambda n=number: upload(n) for number in range(4)]
    assert together(*works, *[put] * 4) == []
    assert list(blobs.digests()) == [Digest.of(LARGE)]
    assert blobs.read(Digest.of(LARGE), len(LARGE)) == LARGE
    assert blobs.uploads() == []


def test_who_reads_while_it_is_written_again_sees_it_whole(blobs: UploadedBlobs) -> None:
    digest = blobs.put(LARGE)

    def read() -> None:
        for _ in range(5):
            assert blobs.read(digest, len(LARGE)) == LARGE

    def write() -> None:
        for number in range(5):
            uploaded(blobs, LARGE, f"{ID}-{number}")

    assert together(read, read, write) == []


def test_a_blob_that_is_removed_is_read_to_its_end(blobs: UploadedBlobs) -> None:
    digest = blobs.put(LARGE)
    with blobs.open(digest) as chunks:
        data = next(chunks)
        blobs.remove(digest)
        assert blobs.size(digest) is None
        assert data + b"".join(chunks) == LARGE
    with pytest.raises(NoSuchBlob):
        blobs.read(digest, len(LARGE))


def test_who_reads_while_it_is_removed_sees_it_whole_or_not_at_all(blobs: UploadedBlobs) -> None:
    digest = blobs.put(LARGE)

    def read() -> None:
        for _ in range(10):
            try:
                assert blobs.read(digest, len(LARGE)) == LARGE
            except NoSuchBlob:
                continue

    def remove() -> None:
        for _ in range(10):
            blobs.remove(digest)
            blobs.put(LARGE)

    assert together(read, read, remove) == []


# Uploads


def test_an_upload_grows_and_is_no_blob(blobs: UploadedBlobs) -> None:
    blobs.start(ID)
    assert blobs.uploaded_bytes(ID) == 0
    assert blobs.append(ID, b"con") == 3
    assert blobs.append(ID, b"") == 3
    assert blobs.append(ID, b"tent") == 7
    assert blobs.uploaded_bytes(ID) == 7
    assert blobs.size(DIGEST) is None
    assert blobs.uploads() == [ID]
    assert blobs.commit(ID, DIGEST) == 7
    assert blobs.uploads() == []
    assert blobs.uploaded_bytes(ID) is None
    assert blobs.read(DIGEST, 7) == DATA


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(DATA + b"!", id="longer"),
        pytest.param(DATA[:-1], id="truncated"),
        pytest.param(b"", id="empty"),
        pytest.param(b"c0ntent", id="changed"),
    ],
)
def test_an_upload_of_something_else_is_no_blob_and_can_be_mended(
    blobs: UploadedBlobs, data: bytes
) -> None:
    blobs.start(ID)
    blobs.append(ID, data)
    with pytest.raises(DigestMismatch):
        blobs.commit(ID, DIGEST)
    assert blobs.size(DIGEST) is None
    assert list(blobs.digests()) == []
    assert blobs.uploaded_bytes(ID) == len(data)
    assert blobs.commit(ID, Digest.of(data)) == len(data)


def test_an_interrupted_upload_goes_on_where_it_was(port: Port) -> None:
    port.blobs.start(ID)
    port.blobs.append(ID, LARGE[:CHUNK_BYTES])
    after_the_crash = port.again()
    assert after_the_crash.uploads() == [ID]
    assert after_the_crash.uploaded_bytes(ID) == CHUNK_BYTES
    after_the_crash.append(ID, LARGE[CHUNK_BYTES:])
    assert after_the_crash.commit(ID, Digest.of(LARGE)) == len(LARGE)
    assert port.blobs.read(Digest.of(LARGE), len(LARGE)) == LARGE


def test_an_interrupted_upload_that_is_given_up_leaves_nothing(port: Port) -> None:
    port.blobs.start(ID)
    port.blobs.append(ID, DATA)
    port.again().discard(ID)
    assert port.blobs.uploads() == []
    assert list(port.blobs.digests()) == []
    with pytest.raises(NoSuchUpload):
        port.blobs.append(ID, DATA)


def test_an_upload_repairs_a_damaged_blob(port: Port) -> None:
    uploaded(port.blobs)
    port.damage(DIGEST, b"c0ntent")
    uploaded(port.blobs)
    assert port.blobs.read(DIGEST, 10) == DATA


def test_uploads_never_share_anything(blobs: UploadedBlobs) -> None:
    blobs.start(ID)
    blobs.append(ID, DATA)
    with pytest.raises(BlobsUnavailable) as raised:
        blobs.start(ID)
    assert isinstance(raised.value, Unavailable)
    blobs.start(OTHER_ID)
    blobs.append(OTHER_ID, b"other")
    assert blobs.uploads() == sorted([ID, OTHER_ID])
    assert blobs.commit(ID, DIGEST) == 7
    assert blobs.uploaded_bytes(OTHER_ID) == 5


def test_one_upload_becomes_one_blob_however_often_it_is_committed(blobs: UploadedBlobs) -> None:
    blobs.start(ID)
    blobs.append(ID, LARGE)
    failures = together(*[lambda: blobs.commit(ID, Digest.of(LARGE))] * 4)
    assert {type(error) for error in failures} <= {NoSuchUpload}
    assert len(failures) == 3
    assert blobs.read(Digest.of(LARGE), len(LARGE)) == LARGE


def test_what_was_never_begun_is_no_upload(blobs: UploadedBlobs) -> None:
    assert blobs.uploaded_bytes(ID) is None
    with pytest.raises(NoSuchUpload):
        blobs.append(ID, DATA)
    with pytest.raises(NoSuchUpload):
        blobs.commit(ID, DIGEST)
    blobs.discard(ID)
    assert blobs.uploads() == []


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
        "an-upload-id-of-ours\n",
        "an/upload/id/of/ours",
        "an-upload-id-of-ours\0",
    ],
)
def test_no_upload_id_leads_elsewhere(blobs: UploadedBlobs, upload_id: str) -> None:
    assert blobs.uploaded_bytes(upload_id) is None
    for act in (
        blobs.start,
        blobs.discard,
        lambda one: blobs.append(one, b""),
        lambda one: blobs.commit(one, DIGEST),
    ):
        with pytest.raises(NoSuchUpload):
            act(upload_id)
