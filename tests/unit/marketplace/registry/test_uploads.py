"""Uploads without HTTP, on the fake catalogue and blobs in memory."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

import pytest
from tests.builders.trust import NOW
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.catalogue import FakeCatalogue

from skep.digests import Digest, DigestMismatch
from skep.marketplace.registry.errors import (
    NameInvalid,
    PublisherUnknown,
    RangeInvalid,
    TooLarge,
    TooMuchStaged,
    UploadUnknown,
)
from skep.marketplace.registry.settings import Limits
from skep.marketplace.registry.uploads import Uploads

NAME = "acme/counting"
DATA = b"content"
DIGEST = Digest.of(DATA)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock_() -> Clock:
    return Clock()


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest.fixture
def catalogue() -> FakeCatalogue:
    return FakeCatalogue()


@pytest.fixture
def uploads(catalogue: FakeCatalogue, blobs: MemoryBlobs, clock_: Clock) -> Uploads:
    numbers = count()
    limits = Limits(blob_bytes=10, staged_bytes=20, open_uploads=2)
    return Uploads(
        catalogue,
        blobs,
        {"acme"},
        limits,
        clock_,
        lambda: f"upload-id-number-{next(numbers):06}",
    )


def begin(uploads: Uploads) -> str:
    return uploads.begin(NAME).upload_id


def test_chunks_become_a_staged_blob(
    uploads: Uploads, blobs: MemoryBlobs, catalogue: FakeCatalogue
) -> None:
    upload_id = begin(uploads)
    assert uploads.append(NAME, upload_id, 0, DATA[:3]) == 3
    assert uploads.append(NAME, upload_id, 3, DATA[3:]) == 7
    assert uploads.finish(NAME, upload_id, DIGEST) == 7
    assert catalogue.blob_size(NAME, DIGEST) == 7
    assert blobs.read(DIGEST, 10) == DATA
    with pytest.raises(UploadUnknown):
        uploads.offset(NAME, upload_id)


def test_a_chunk_out_of_order_changes_nothing(uploads: Uploads) -> None:
    upload_id = begin(uploads)
    uploads.append(NAME, upload_id, 0, DATA[:3])
    for offset in (0, 2, 4):
        with pytest.raises(RangeInvalid):
            uploads.append(NAME, upload_id, offset, b"x")
    assert uploads.offset(NAME, upload_id) == 3


def test_a_blob_that_is_too_large_ends_the_upload(uploads: Uploads, blobs: MemoryBlobs) -> None:
    upload_id = begin(uploads)
    uploads.append(NAME, upload_id, 0, b"x" * 10)
    with pytest.raises(TooLarge):
        uploads.append(NAME, upload_id, 10, b"x")
    assert blobs.uploads() == []


def test_a_wrong_digest_ends_the_upload(
    uploads: Uploads, blobs: MemoryBlobs, catalogue: FakeCatalogue
) -> None:
    upload_id = begin(uploads)
    with pytest.raises(DigestMismatch):
        uploads.finish(NAME, upload_id, DIGEST)
    assert blobs.uploads() == []
    assert catalogue.blob_size(NAME, DIGEST) is None


@pytest.mark.parametrize("name", ["nobody/thing", "acmes/thing"])
def test_only_registered_publishers_push(uploads: Uploads, name: str) -> None:
    with pytest.raises(PublisherUnknown):
        uploads.begin(name)
    with pytest.raises(PublisherUnknown):
        uploads.mount(name, DIGEST, 7)


@pytest.mark.parametrize("name", ["acme", "acme/../x", "acme/x/y", "", "ACME/x", "acme/x\n"])
def test_only_names_are_names(uploads: Uploads, name: str) -> None:
    with pytest.raises(NameInvalid):
        uploads.begin(name)


def test_open_uploads_are_limited_and_end_by_themselves(
    uploads: Uploads, clock_: Clock, blobs: MemoryBlobs
) -> None:
    first = begin(uploads)
    begin(uploads)
    with pytest.raises(TooMuchStaged):
        begin(uploads)
    clock_.now += timedelta(hours=1, seconds=1)
    begin(uploads)
    assert len(blobs.uploads()) == 1
    with pytest.raises(UploadUnknown):
        uploads.offset(NAME, first)


def test_staged_bytes_are_limited_and_expire(
    uploads: Uploads, clock_: Clock, blobs: MemoryBlobs, catalogue: FakeCatalogue
) -> None:
    for data in (b"a" * 10, b"b" * 10):
        upload_id = begin(uploads)
        uploads.append(NAME, upload_id, 0, data)
        uploads.finish(NAME, upload_id, Digest.of(data))
    with pytest.raises(TooMuchStaged):
        begin(uploads)
    clock_.now += timedelta(days=1, seconds=1)
    begin(uploads)
    assert blobs.size(Digest.of(b"a" * 10)) is None
    assert catalogue.blob_size(NAME, Digest.of(b"a" * 10)) is None


def test_strays_of_a_crash_are_dropped_and_uploads_are_not(
    uploads: Uploads, blobs: MemoryBlobs
) -> None:
    upload_id = begin(uploads)
    blobs.start("left-behind-by-a-crash")
    uploads.forget_strays()
    assert blobs.uploads() == [upload_id]


def test_abandoning_what_is_gone_is_nothing(uploads: Uploads) -> None:
    uploads.abandon(NAME, begin(uploads))
    uploads.abandon(NAME, "never-was-an-upload-id")
