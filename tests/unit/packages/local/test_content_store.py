import errno
import json
import os
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.builders.packages import BUNDLE_DATA, package, put_package

from skep.digests import Digest, DigestMismatch
from skep.errors import Malformed, SkepError, UsageError
from skep.json_documents import MalformedDocument
from skep.packages.local import content_store
from skep.packages.local.bundles import store_bundle, stored_bundles
from skep.packages.local.content_store import (
    ContentStore,
    IndexDamaged,
    NewManifest,
    reading_package,
)
from skep.packages.local.errors import NoSuchContent, NotAContentStore, StoreNotWritable
from skep.packages.opening import open_package
from skep.packages.references import parse_reference
from skep.sigstore import BUNDLE

PACKAGE = package()
TAG = "skep/limiter:1.2.0"


def blob_file(store: ContentStore, digest: Digest) -> Path:
    return store.root / "blobs" / digest.algorithm / digest.hexadecimal


def test_a_blob_is_read_as_it_was_put(store: ContentStore) -> None:
    digest = store.put_blob(b"content")
    assert digest == Digest.of(b"content")
    assert store.blob(digest) == b"content"
    assert store.has_blob(digest)


def test_nothing_is_written_before_something_is_put(store: ContentStore) -> None:
    assert dict(store.tags()) == {}
    assert not store.has_blob(Digest.of(b"x"))
    with pytest.raises(NoSuchContent):
        store.resolve(TAG)
    assert not store.root.exists()


def test_a_missing_blob_is_not_found(store: ContentStore) -> None:
    with pytest.raises(NoSuchContent):
        store.blob(Digest.of(b"x"))


def test_the_directory_is_a_layout_other_tools_read(store: ContentStore) -> None:
    put_package(store, PACKAGE)
    assert json.loads((store.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((store.root / "index.json").read_bytes())
    (entry,) = index["manifests"]
    assert entry["digest"] == str(PACKAGE.manifest.digest)
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": TAG}
    assert not list(store.root.rglob("*incoming*"))


def test_a_tag_resolves_to_its_manifest(store: ContentStore) -> None:
    put_package(store, PACKAGE)
    found = store.resolve(TAG)
    assert found.digest == PACKAGE.manifest.digest
    assert open_package(store.blob(found.digest), store.blob).metadata == PACKAGE.metadata


def test_a_missing_tag_is_told_with_those_there_are(store: ContentStore) -> None:
    put_package(store, PACKAGE)
    with pytest.raises(NoSuchContent) as caught:
        store.resolve("skep/limiter:9.9.9")
    assert TAG in caught.value.hint


def test_a_tag_moves_to_another_manifest(store: ContentStore) -> None:
    other = package(readme=b"# Other\n")
    put_package(store, PACKAGE)
    put_package(store, other)
    assert {tag: entry.digest for tag, entry in store.tags().items()} == {
        TAG: other.manifest.digest
    }


def test_a_manifest_may_have_two_tags(store: ContentStore) -> None:
    put_package(store, PACKAGE)
    put_package(store, PACKAGE, "latest")
    assert list(store.tags()) == ["latest", TAG]


@pytest.mark.parametrize("tag", ["", "-x", "a b", "a\n", "x" * 300, "../a"])
def test_an_odd_tag_is_refused(store: ContentStore, tag: str) -> None:
    with pytest.raises(UsageError):
        put_package(store, PACKAGE, tag)
    assert dict(store.tags()) == {}


# Corruption and hostile directories


@pytest.mark.parametrize("change", [b"", b"other", b"content "])
def test_a_damaged_blob_is_noticed_when_read_and_replaced_when_put(
    store: ContentStore, change: bytes
) -> None:
    digest = store.put_blob(b"content")
    blob_file(store, digest).write_bytes(change)
    with pytest.raises(DigestMismatch) as caught:
        store.blob(digest)
    assert str(blob_file(store, digest)) in caught.value.message
    store.put_blob(b"content")
    assert store.blob(digest) == b"content"


def test_a_link_is_not_followed(store: ContentStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"content")
    digest = store.put_blob(b"content")
    blob_file(store, digest).unlink()
    blob_file(store, digest).symlink_to(secret)
    with pytest.raises(Malformed):
        store.blob(digest)


def test_a_pipe_does_not_keep_us_waiting(store: ContentStore) -> None:
    digest = store.put_blob(b"content")
    blob_file(store, digest).unlink()
    os.mkfifo(blob_file(store, digest))
    with pytest.raises(Malformed):
        store.blob(digest)


def test_a_directory_in_place_of_a_blob_is_refused(store: ContentStore) -> None:
    digest = store.put_blob(b"content")
    blob_file(store, digest).unlink()
    blob_file(store, digest).mkdir()
    with pytest.raises(Malformed):
        store.blob(digest)


def test_a_file_larger_than_any_blob_is_not_read_whole(store: ContentStore) -> None:
    digest = store.put_blob(b"content")
    with blob_file(store, digest).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(Malformed):
        store.blob(digest)


@pytest.mark.parametrize("index", [b"", b"[]", b'{"schemaVersion":2}', b"\xff"])
def test_a_damaged_index_is_refused(store: ContentStore, index: bytes) -> None:
    put_package(store, PACKAGE)
    (store.root / "index.json").write_bytes(index)
    with pytest.raises(IndexDamaged, match=r"index\.json"):
        store.tags()


def test_another_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(NotAContentStore):
        ContentStore(tmp_path).put_blob(b"x")
    with pytest.raises(NotAContentStore):
        ContentStore(tmp_path / "precious").tags()
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_place_that_cannot_be_written_is_told() -> None:
    with pytest.raises(StoreNotWritable):
        ContentStore(Path("/proc/none/store")).put_blob(b"x")


@pytest.mark.parametrize(
    ("number", "family"),
    [(errno.ENOSPC, "unavailable"), (errno.EROFS, "not-permitted"), (errno.EIO, "unavailable")],
)
def test_a_disk_that_does_not_take_it_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, family: str
) -> None:
    store = ContentStore(tmp_path / "store")
    store.put_blob(b"kept")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(SkepError, match=re.escape(os.strerror(number))) as caught:
        store.put_blob(b"new")
    assert caught.value.family == family
    assert caught.value.hint
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


# All or nothing


def test_a_manifest_whose_blobs_are_missing_is_not_listed(store: ContentStore) -> None:
    with pytest.raises(NoSuchContent):
        store.put_manifest(PACKAGE.manifest_data, tag=TAG)
    assert dict(store.tags()) == {}


def test_one_bad_manifest_keeps_all_of_them_out(store: ContentStore) -> None:
    put_package(store, PACKAGE)
    with pytest.raises(MalformedDocument):
        store.add([NewManifest(PACKAGE.manifest_data, tag="second"), NewManifest(b"{}")])
    assert list(store.tags()) == [TAG]


def test_a_crash_before_the_index_leaves_the_old_one(
    store: ContentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_package(store, PACKAGE)

    def crash(path: Path, data: bytes) -> None:
        raise KeyboardInterrupt

    other = package(version="2.0.0")
    for blob in other.blobs.values():
        store.put_blob(blob)
    monkeypatch.setattr(content_store, "write_atomically", crash)
    with pytest.raises(KeyboardInterrupt):
        store.put_manifest(other.manifest_data, tag="skep/limiter:2.0.0")
    monkeypatch.undo()
    assert list(store.tags()) == [TAG]
    put_package(store, other)  # and the lock is free again
    assert list(store.tags()) == [TAG, "skep/limiter:2.0.0"]


def test_threads_that_add_at_once_lose_nothing(store: ContentStore) -> None:
    made = [package(version=f"1.0.{number}") for number in range(8)]
    threads = [threading.Thread(target=put_package, args=(store, one)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.tags()) == len(made)


_ADD = """
import sys, time
from pathlib import Path
from skep.packages.local.content_store import ContentStore
store = ContentStore(Path(sys.argv[1]))
data = store.blob(store.resolve("skep/limiter:1.2.0").digest)
for number in range(10):
    store.put_manifest(data, tag=f"{sys.argv[2]}-{number}")
"""


def test_processes_that_add_at_once_lose_nothing(store: ContentStore) -> None:
    put_package(store, PACKAGE)
    running = [
        subprocess.Popen([sys.executable, "-c", _ADD, str(store.root), name]) for name in "ab"
    ]
    assert [process.wait(30) for process in running] == [0, 0]
    assert len(store.tags()) == 21


# Referrers


def test_a_signature_is_found_by_its_subject(store: ContentStore) -> None:
    subject = put_package(store, PACKAGE)
    put_package(store, package(version="2.0.0"))
    store_bundle(store, subject, BUNDLE_DATA)
    (found,) = store.referrers(subject.digest)
    assert found.artifact_type == BUNDLE
    assert stored_bundles(store, subject.digest) == (BUNDLE_DATA,)
    assert stored_bundles(store, store.resolve("skep/limiter:2.0.0").digest) == ()


def test_a_signature_is_kept_with_its_time(store: ContentStore) -> None:
    subject = put_package(store, PACKAGE)
    store_bundle(store, subject, BUNDLE_DATA, datetime(2026, 11, 23, 8, tzinfo=UTC))
    (found,) = store.referrers(subject.digest)
    assert found.annotations["org.opencontainers.image.created"] == "2026-11-23T08:00:00Z"


def test_the_same_signature_twice_is_one(store: ContentStore) -> None:
    subject = put_package(store, PACKAGE)
    store_bundle(store, subject, BUNDLE_DATA)
    store_bundle(store, subject, BUNDLE_DATA)
    assert len(stored_bundles(store, subject.digest)) == 1


def test_what_the_index_says_about_types_is_not_believed(store: ContentStore) -> None:
    subject = put_package(store, PACKAGE)
    store_bundle(store, subject, BUNDLE_DATA)
    index = store.root / "index.json"
    index.write_bytes(index.read_bytes().replace(BUNDLE.encode(), b"text/x"))
    assert store.referrers(subject.digest)[0].artifact_type == BUNDLE


def test_a_damaged_signature_is_no_signature_and_hurts_no_other_package(
    store: ContentStore,
) -> None:
    subject = put_package(store, PACKAGE)
    damaged = store_bundle(store, subject, BUNDLE_DATA)
    other = put_package(store, package(version="2.0.0"))
    store_bundle(store, other, BUNDLE_DATA)
    blob_file(store, damaged.digest).write_bytes(b"{}")
    assert stored_bundles(store, subject.digest) == ()
    assert stored_bundles(store, other.digest) == (BUNDLE_DATA,)


def test_a_damaged_index_says_what_makes_it_anew(store: ContentStore) -> None:
    put_package(store, PACKAGE)
    (store.root / "index.json").write_bytes(b"{")
    assert store.is_damaged
    with pytest.raises(IndexDamaged, match="list of packages") as caught:
        store.tags()
    assert "skep pull" in caught.value.hint


def test_a_damaged_index_is_made_anew_from_what_is_here(store: ContentStore) -> None:
    descriptor = put_package(store, PACKAGE)
    store_bundle(store, descriptor, BUNDLE_DATA)
    damaged = package(version="2.0.0")
    blob_file(store, put_package(store, damaged).digest).write_bytes(b"other")
    (store.root / "index.json").write_bytes(b"{")
    kept = store.rebuild_index()
    assert kept is not None
    assert kept.read_bytes() == b"{"
    assert not store.is_damaged
    assert store.tags() == {}, "which marketplace it came from is not guessed"
    assert stored_bundles(store, descriptor.digest) == (BUNDLE_DATA,)
    assert open_package(store.blob(descriptor.digest), store.blob).metadata == PACKAGE.metadata
    put_package(store, PACKAGE)
    assert store.resolve(TAG).digest == descriptor.digest


def test_a_whole_index_stays_as_it_is(store: ContentStore) -> None:
    put_package(store, PACKAGE)
    before = (store.root / "index.json").read_bytes()
    assert store.rebuild_index() is None
    assert (store.root / "index.json").read_bytes() == before


def test_what_is_missing_or_damaged_is_said_of_the_package_with_the_command(
    store: ContentStore,
) -> None:
    wanted = parse_reference(f"m.example/skep/limiter:1.2.0@{PACKAGE.manifest.digest}")
    with (
        pytest.raises(NoSuchContent, match=r"^package skep/limiter is missing") as missing,
        reading_package(wanted),
    ):
        store.blob(PACKAGE.manifest.digest)
    assert missing.value.hint == "skep pull m.example/skep/limiter:1.2.0"
    digest = store.put_blob(b"content")
    blob_file(store, digest).write_bytes(b"changed")
    with (
        pytest.raises(DigestMismatch, match=r"^package skep/limiter: .* was damaged") as damaged,
        reading_package(wanted),
    ):
        store.blob(digest)
    assert damaged.value.hint == "skep pull m.example/skep/limiter:1.2.0"


def test_a_link_in_place_of_a_blob_is_replaced(store: ContentStore, tmp_path: Path) -> None:
    digest = store.put_blob(b"content")
    blob_file(store, digest).unlink()
    blob_file(store, digest).symlink_to(tmp_path / "nowhere")
    store.put_blob(b"content")
    assert store.blob(digest) == b"content"
