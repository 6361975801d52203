"""What every catalogue promises: the one in SQLite, and the fake the unit tests use."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
from tests.fakes.catalogue import FakeCatalogue

from skep.bytecode.analysis.label import label_of
from skep.digests import Digest
from skep.marketplace.registry.errors import ManifestUnknown, VersionTaken
from skep.marketplace.registry.ports import Catalogue
from skep.marketplace.registry.records import (
    ManifestRecord,
    Publication,
    PublishedVersion,
    SearchEntry,
    Upload,
)
from skep.marketplace.registry.store.catalogue import SqliteCatalogue
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.media_types import MANIFEST
from skep.packages.wire.search_query import Field
from skep.schema_steps import DatabaseTooNew
from skep.versions import Version

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
NAME = "skep/ratelimiting"
BLOB = Digest.of(b"blob")
OTHER_BLOB = Digest.of(b"other blob")


@pytest.fixture(params=["sqlite", "fake"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalogue]:
    made: Catalogue = (
        SqliteCatalogue(tmp_path / "catalogue.sqlite")
        if request.param == "sqlite"
        else FakeCatalogue()
    )
    yield made
    made.close()


def record(
    data: bytes = b"manifest", *, repository: str = NAME, subject: Digest | None = None
) -> ManifestRecord:
    named = Descriptor.of(data, MANIFEST, {"title": "ü"})
    return ManifestRecord(
        repository, replace(named, artifact_type="application/x"), subject, (BLOB,), data
    )


def version(
    manifest: ManifestRecord, text: str = "1.2.0", *, at: datetime = NOW, summary: str = "Limits"
) -> PublishedVersion:
    return PublishedVersion(
        package=manifest.repository,
        version=Version.parse(text),
        digest=manifest.digest,
        published_at=at,
        summary=summary,
        licence="GPL-2.0-only",
        signed_by="SHA256:00",
        label=label_of({}),
        verdict=MappingProxyType({"outcome": "accepted"}),
    )


def publish(
    catalogue: Catalogue,
    manifest: ManifestRecord,
    text: str = "1.2.0",
    *,
    at: datetime = NOW,
    summary: str = "Limits",
    words: str = "",
    referrers: tuple[Digest, ...] = (),
) -> PublishedVersion:
    catalogue.stage_blob(manifest.repository, BLOB, 4, at)
    catalogue.stage_manifest(manifest, at)
    made = version(manifest, text, at=at, summary=summary)
    entry = SearchEntry(made.package, made.version, summary, words)
    catalogue.publish(Publication(made, referrers, entry))
    return made


# Uploads


def test_an_upload_is_known_in_its_repository_only(catalogue: Catalogue) -> None:
    upload = Upload("id", NAME, NOW)
    catalogue.add_upload(upload)
    assert catalogue.upload(NAME, "id") == upload
    assert catalogue.upload("skep/other", "id") is None
    assert catalogue.upload(NAME, "other") is None
    assert catalogue.open_uploads() == 1


def test_a_removed_upload_is_gone_and_removing_it_again_is_nothing(catalogue: Catalogue) -> None:
    catalogue.add_upload(Upload("id", NAME, NOW))
    catalogue.remove_upload("id")
    catalogue.remove_upload("id")
    assert catalogue.upload(NAME, "id") is None
    assert catalogue.open_uploads() == 0


def test_old_uploads_are_found(catalogue: Catalogue) -> None:
    catalogue.add_upload(Upload("old", NAME, NOW))
    catalogue.add_upload(Upload("new", NAME, LATER))
    assert catalogue.uploads_before(LATER) == ["old"]


# What is staged


def test_a_staged_blob_belongs_to_its_repository_only(catalogue: Catalogue) -> None:
    catalogue.stage_blob(NAME, BLOB, 4, NOW)
    assert catalogue.blob_size(NAME, BLOB) == 4
    assert catalogue.blob_size("skep/other", BLOB) is None
    assert catalogue.published_blob(NAME, BLOB) is None
    assert catalogue.staged_bytes() == 4


def test_an_empty_blob_is_a_blob(catalogue: Catalogue) -> None:
    catalogue.stage_blob(NAME, BLOB, 0, NOW)
    assert catalogue.blob_size(NAME, BLOB) == 0


def test_a_staged_manifest_is_kept_whole_and_not_published(catalogue: Catalogue) -> None:
    staged = record(subject=OTHER_BLOB)
    catalogue.stage_manifest(staged, NOW)
    assert catalogue.manifest(NAME, staged.digest) == staged
    assert catalogue.manifests_about(NAME, OTHER_BLOB) == [staged]
    assert catalogue.published_manifest(NAME, staged.digest) is None
    assert not catalogue.published_referrers(NAME, OTHER_BLOB)
    assert catalogue.manifest("skep/other", staged.digest) is None
    assert not catalogue.manifests_about("skep/other", OTHER_BLOB)


def test_what_was_pushed_long_ago_expires(catalogue: Catalogue) -> None:
    staged = record()
    catalogue.stage_blob(NAME, BLOB, 4, NOW)
    catalogue.stage_blob(NAME, OTHER_BLOB, 4, LATER)
    catalogue.stage_manifest(staged, NOW)
    assert catalogue.expire_staged(LATER) == [BLOB]
    assert catalogue.manifest(NAME, staged.digest) is None
    assert catalogue.blob_size(NAME, BLOB) is None
    assert catalogue.blob_size(NAME, OTHER_BLOB) == 4


def test_pushing_again_renews(catalogue: Catalogue) -> None:
    staged = record()
    catalogue.stage_blob(NAME, BLOB, 4, NOW)
    catalogue.stage_manifest(staged, NOW)
    catalogue.stage_manifest(staged, LATER)
    assert not catalogue.expire_staged(LATER)
    assert catalogue.blob_size(NAME, BLOB) == 4  # old, but a manifest names it


def test_a_blob_another_repository_has_is_not_reported_as_gone(catalogue: Catalogue) -> None:
    catalogue.stage_blob(NAME, BLOB, 4, NOW)
    catalogue.stage_blob("skep/other", BLOB, 4, LATER)
    assert not catalogue.expire_staged(LATER)
    assert catalogue.blob_size(NAME, BLOB) is None
    assert catalogue.blob_size("skep/other", BLOB) == 4


def test_what_is_published_never_expires(catalogue: Catalogue) -> None:
    manifest = record()
    publish(catalogue, manifest)
    assert not catalogue.expire_staged(LATER + timedelta(days=1000))
    assert catalogue.published_manifest(NAME, manifest.digest) == manifest
    assert catalogue.published_blob(NAME, BLOB) == 4
    assert catalogue.staged_bytes() == 0


# Publishing


def test_publishing_makes_everything_visible_at_once(catalogue: Catalogue) -> None:
    manifest = record()
    signature = record(b"signature", subject=manifest.digest)
    stranger = record(b"stranger", subject=manifest.digest)
    catalogue.stage_manifest(signature, NOW)
    catalogue.stage_manifest(stranger, NOW)
    made = publish(catalogue, manifest, referrers=(signature.digest,))
    assert catalogue.version(NAME, made.version) == made
    assert catalogue.versions(NAME) == [made]
    assert catalogue.published_manifest(NAME, manifest.digest) == manifest
    assert catalogue.published_referrers(NAME, manifest.digest) == [signature.descriptor]
    assert catalogue.published_manifest(NAME, stranger.digest) is None
    assert catalogue.version("skep/other", made.version) is None


def test_a_version_cannot_be_published_with_other_content(catalogue: Catalogue) -> None:
    made = publish(catalogue, record())
    other = record(b"other")
    with pytest.raises(VersionTaken):
        publish(catalogue, other)
    assert catalogue.version(NAME, made.version) == made
    assert catalogue.published_manifest(NAME, other.digest) is None


def test_the_same_version_again_keeps_its_receipt_and_adds_referrers(catalogue: Catalogue) -> None:
    manifest = record()
    made = publish(catalogue, manifest)
    signature = record(b"signature", subject=manifest.digest)
    catalogue.stage_manifest(signature, LATER)
    catalogue.publish(
        Publication(version(manifest, at=LATER, summary="changed"), (signature.digest,), None)
    )
    assert catalogue.versions(NAME) == [made]
    assert catalogue.published_referrers(NAME, manifest.digest) == [signature.descriptor]


@pytest.mark.parametrize("missing", ["package", "signature"])
def test_nothing_is_published_when_a_manifest_expired_meanwhile(
    catalogue: Catalogue, missing: str
) -> None:
    manifest = record()
    signature = record(b"signature", subject=manifest.digest)
    catalogue.stage_manifest(signature if missing == "package" else manifest, NOW)
    with pytest.raises(ManifestUnknown):
        catalogue.publish(Publication(version(manifest), (signature.digest,), None))
    assert not catalogue.versions(NAME)
    assert catalogue.published_manifest(NAME, manifest.digest) is None


# Search


def packages_found(catalogue: Catalogue, *words: str, limit: int = 10) -> list[str]:
    return [hit.package for hit in catalogue.search(words, limit)]


def test_search_finds_by_the_beginning_of_words(catalogue: Catalogue) -> None:
    publish(catalogue, record(), summary="Limits new TCP connections", words="network/limits xdp")
    for words in (["tcp"], ["conn", "lim"], ["rate"], ["xdp"], ["network"], ["skep"]):
        assert packages_found(catalogue, *words) == [NAME]
    for words in (["udp"], ["tcp", "udp"], ["onnections"]):
        assert packages_found(catalogue, *words) == []


def test_search_prefers_names(catalogue: Catalogue) -> None:
    publish(catalogue, record(b"1", repository="a/other"), summary="goes well with firewall")
    publish(catalogue, record(b"2", repository="z/firewall"), summary="drops packets")
    assert packages_found(catalogue, "firewall") == ["z/firewall", "a/other"]


def test_search_without_words_lists_the_newest_publications(catalogue: Catalogue) -> None:
    publish(catalogue, record(b"1", repository="a/old"), at=NOW)
    publish(catalogue, record(b"2", repository="a/new"), at=LATER)
    assert packages_found(catalogue) == ["a/new", "a/old"]
    assert packages_found(catalogue, limit=1) == ["a/new"]


def test_search_shows_the_version_it_was_told_last(catalogue: Catalogue) -> None:
    publish(catalogue, record(b"1"), "1.0.0", summary="first")
    made = publish(catalogue, record(b"2"), "2.0.0", summary="second")
    (hit,) = catalogue.search(["second"], 10)
    assert hit.version == made
    assert packages_found(catalogue, "first") == []


def test_a_publication_without_an_entry_leaves_search_alone(catalogue: Catalogue) -> None:
    made = publish(catalogue, record(b"2"), "2.0.0")
    older = record(b"1")
    catalogue.stage_manifest(older, NOW)
    catalogue.publish(Publication(version(older, "1.0.0"), (), None))
    (hit,) = catalogue.search(["limits"], 10)
    assert hit.version == made


def test_search_by_a_filter_looks_in_one_field_only(catalogue: Catalogue) -> None:
    publish(catalogue, record(b"1", repository="a/other"), summary="goes well with firewall")
    publish(catalogue, record(b"2", repository="z/firewall"), summary="drops packets")
    named: list[tuple[Field, str]] = [("name", "fire")]
    told: list[tuple[Field, str]] = [("summary", "fire")]
    both: list[tuple[Field, str]] = [("name", "z"), ("name", "firewall")]
    asked: dict[str, tuple[list[str], list[tuple[Field, str]]]] = {
        "name": ([], named),
        "summary": ([], told),
        "both": (["drops"], both),
        "neither": (["goes"], both),
    }
    found = {
        text: [hit.package for hit in catalogue.search(words, 10, filters)]
        for text, (words, filters) in asked.items()
    }
    assert found == {
        "name": ["z/firewall"], "summary": ["a/other"], "both": ["z/firewall"], "neither": [],
    }  # fmt: skip


@pytest.mark.parametrize("word", ['"', "*", "near", "or", "a" * 1000, "ü", "日本"])
def test_no_word_is_an_operator(catalogue: Catalogue, word: str) -> None:
    publish(catalogue, record())
    assert packages_found(catalogue, word) == []


# Only of the real one


def test_a_database_is_there_again_after_closing(tmp_path: Path) -> None:
    first = SqliteCatalogue(tmp_path / "c.sqlite")
    made = publish(first, record())
    first.close()
    second = SqliteCatalogue(tmp_path / "c.sqlite")
    assert second.versions(NAME) == [made]
    second.close()


def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    SqliteCatalogue(tmp_path / "c.sqlite").close()
    connection = sqlite3.connect(tmp_path / "c.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DatabaseTooNew, match="99"):
        SqliteCatalogue(tmp_path / "c.sqlite")


def test_every_table_is_strict(tmp_path: Path) -> None:
    SqliteCatalogue(tmp_path / "c.sqlite").close()
    connection = sqlite3.connect(tmp_path / "c.sqlite")
    loose = connection.execute(
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND strict = 0"
        " AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    connection.close()
    assert loose == []
