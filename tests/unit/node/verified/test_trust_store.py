from pathlib import Path

import pytest
from tests.builders.trust import signer

from skep.node.verified.trust_store import BadPublisherName, NoSuchKey, TrustStore, TrustStoreUnsafe
from skep.trust.errors import MalformedKey

KEY, OTHER = signer("publisher").public_key, signer("other").public_key


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "trust")


def test_nobody_is_trusted_at_first(store: TrustStore) -> None:
    assert store.keys_of("skep") == ()
    assert store.publishers() == {}
    assert store.policy_for("skep").keys == ()


def test_a_key_counts_for_the_publisher_it_was_put_under(store: TrustStore) -> None:
    store.add("skep", KEY)
    assert store.keys_of("skep") == (KEY,)
    assert store.keys_of("acme") == ()
    assert store.publishers() == {"skep": (KEY,)}


def test_a_publisher_can_have_several_keys_and_lose_one(store: TrustStore) -> None:
    store.add("skep", KEY)
    store.add("skep", KEY)
    store.add("skep", OTHER)
    assert set(store.keys_of("skep")) == {KEY, OTHER}
    store.remove("skep", KEY.fingerprint)
    assert store.keys_of("skep") == (OTHER,)


def test_adding_a_key_again_changes_nothing(store: TrustStore) -> None:
    assert store.add("skep", KEY, "public (https://market.example)")
    assert not store.add("skep", KEY, "evil (https://evil.example)")
    (trusted,) = store.trusted("skep")
    assert trusted.origin == "public (https://market.example)"


def test_where_a_key_came_from_is_kept_and_decides_nothing(store: TrustStore) -> None:
    store.add("skep", KEY)
    store.add("skep", OTHER, "public\n-----BEGIN PUBLIC KEY-----")
    assert {one.key: one.origin for one in store.trusted("skep")} == {
        KEY: "",
        OTHER: "public?-BEGIN PUBLIC KEY-",
    }
    assert set(store.policy_for("skep").keys) == {KEY, OTHER}
    assert store.trusted("acme") == ()


def test_a_key_that_is_not_there_cannot_be_removed(store: TrustStore) -> None:
    store.add("skep", KEY)
    with pytest.raises(NoSuchKey):
        store.remove("skep", OTHER.fingerprint)


def test_it_is_known_since_when_a_key_is_trusted(store: TrustStore) -> None:
    store.add("skep", KEY)
    assert store.trusted_since("skep", KEY.fingerprint) is not None
    assert store.trusted_since("skep", OTHER.fingerprint) is None
    assert store.trusted_since("skep", "SHA256:../../etc/passwd") is None


@pytest.mark.parametrize(
    "publisher",
    ["", ".", "..", "../skep", "a/b", "/etc", ".hidden", "a.b", "a_b", "A", "a\n", "a\x00"],
)
def test_publishers_that_would_lead_elsewhere_are_refused(
    store: TrustStore, publisher: str
) -> None:
    for attempt in (lambda: store.keys_of(publisher), lambda: store.add(publisher, KEY)):
        with pytest.raises(BadPublisherName):
            attempt()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"x" * 100_000, b"\xff\xfe"])
def test_a_file_that_is_no_key_is_told_with_its_path(
    store: TrustStore, tmp_path: Path, content: bytes
) -> None:
    store.add("skep", KEY)
    (path,) = (tmp_path / "trust" / "skep").iterdir()
    path.write_bytes(content)
    with pytest.raises(MalformedKey, match=path.name[:10]):
        store.keys_of("skep")


@pytest.mark.parametrize("which", ["trust", "trust/skep"])
def test_a_directory_others_may_write_in_is_refused(
    store: TrustStore, tmp_path: Path, which: str
) -> None:
    store.add("skep", KEY)
    (tmp_path / which).chmod(0o777)
    with pytest.raises(TrustStoreUnsafe):
        store.keys_of("skep")
