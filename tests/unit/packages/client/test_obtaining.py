from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.builders.packages import package, put_package
from tests.fakes.registry import FakeRegistry, Fault

from skep.packages.client.errors import MarketplaceNotFound, MarketplaceUnavailable
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.obtaining import Obtained, obtain
from skep.packages.client.transport import Timeouts, Transport
from skep.packages.content import Package
from skep.packages.local.content_store import ContentStore
from skep.packages.local.marketplaces import Marketplace
from skep.packages.local.urls import origin_of
from skep.packages.metadata import PackageMetadata
from skep.packages.references import Reference, parse_reference
from skep.versions import Version

NAME = "skep/limiter"


@contextmanager
def connect(marketplace: Marketplace) -> Iterator[MarketplaceClient]:
    timeouts = Timeouts(connect=1, read=0.3, total=0.6)
    client = MarketplaceClient(marketplace.url, Transport(marketplace.url, timeouts))
    yield client
    client.close()


def publish(registry: FakeRegistry, version: str) -> Package:
    made = package(version=version)
    registry.put(NAME, made.manifest_data, version, *made.blobs.values())
    return made


class Operator:
    """Somebody with a marketplace and a content store."""

    def __init__(self, registry: FakeRegistry, store: ContentStore) -> None:
        self.registry = registry
        self.store = store
        self.marketplace = Marketplace(registry.url, "public")
        self.started: list[Version | None] = []

    @contextmanager
    def fetching(self, version: Version | None) -> Iterator[None]:
        self.started.append(version)
        yield

    def get(self, text: str = NAME, marketplace: Marketplace | None = None) -> Obtained:
        self.registry.requests.clear()
        return obtain(
            parse_reference(text),
            marketplace or self.marketplace,
            self.store,
            connect,
            fetching=self.fetching,
        )


@pytest.fixture
def operator(registry: FakeRegistry, store: ContentStore) -> Operator:
    return Operator(registry, store)


def test_what_is_not_here_is_fetched(registry: FakeRegistry, operator: Operator) -> None:
    publish(registry, "1.0.0")
    obtained = operator.get()
    assert (obtained.is_new, str(obtained.stored.tag.version)) == (True, "1.0.0")
    assert obtained.stored.tag.origin == origin_of(registry.url)
    assert operator.started == [Version(1, 0, 0)]
    assert obtained.offered == Version(1, 0, 0)


class OfNoUse(Exception):
    pass


def test_what_is_of_no_use_is_not_fetched_whole(registry: FakeRegistry, operator: Operator) -> None:
    made = publish(registry, "1.0.0")

    def refuse(metadata: PackageMetadata) -> None:
        raise OfNoUse(metadata.name)

    with pytest.raises(OfNoUse, match=NAME):
        obtain(parse_reference(NAME), operator.marketplace, operator.store, connect, accept=refuse)
    fetched = [path for _, path in registry.requests if "/blobs/" in path]
    assert len(fetched) == 1 < len(made.blobs)
    assert operator.store.tags() == {}


def test_1_a_version_that_is_here_is_not_asked_for(
    registry: FakeRegistry, operator: Operator
) -> None:
    made = publish(registry, "1.0.0")
    operator.get()
    for text in (f"{NAME}:1.0.0", f"{NAME}@{made.manifest.digest}"):
        obtained = operator.get(text)
        assert (obtained.stored.digest, obtained.offered) == (made.manifest.digest, None)
        assert registry.requests == []


def test_2_the_newest_is_asked_for_and_fetched(registry: FakeRegistry, operator: Operator) -> None:
    publish(registry, "1.0.0")
    operator.get()
    publish(registry, "1.1.0")
    publish(registry, "2.0.0-rc.1")
    obtained = operator.get()
    assert (obtained.is_new, str(obtained.stored.tag.version)) == (True, "1.1.0")
    assert operator.started == [Version(1, 0, 0), Version(1, 1, 0)]
    assert obtained.offered == Version(1, 1, 0)


def test_2_what_is_here_is_not_fetched_again(registry: FakeRegistry, operator: Operator) -> None:
    publish(registry, "1.0.0")
    operator.get()
    assert not operator.get().is_new
    assert [path for _, path in registry.requests] == [f"/v2/{NAME}/tags/list"]


def test_2_an_older_one_is_what_the_marketplace_offers_and_that_is_told(
    registry: FakeRegistry, operator: Operator
) -> None:
    publish(registry, "1.0.0")
    publish(registry, "1.1.0")
    operator.get()
    del registry.tags[NAME, "1.1.0"]
    obtained = operator.get()
    assert str(obtained.stored.tag.version) == "1.0.0"
    assert obtained.newer == Version(1, 1, 0)


def test_3_nobody_is_asked_if_nobody_chose_a_marketplace(
    registry: FakeRegistry, operator: Operator
) -> None:
    put_package(operator.store, package(version="1.0.0"))
    publish(registry, "1.1.0")
    unchosen = Marketplace(registry.url, is_chosen=False)
    assert str(operator.get(marketplace=unchosen).stored.tag.version) == "1.0.0"
    assert registry.requests == []


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CLOSED, Fault.HANGING])
def test_4_what_is_here_is_used_if_nobody_answers(
    registry: FakeRegistry, operator: Operator, fault: Fault
) -> None:
    publish(registry, "1.0.0")
    operator.get()
    registry.faults["/"] = fault
    obtained = operator.get()
    assert isinstance(obtained.unreachable, MarketplaceUnavailable)
    assert (obtained.is_new, str(obtained.stored.tag.version)) == (False, "1.0.0")


def test_4_what_is_here_is_used_if_fetching_breaks_off(
    registry: FakeRegistry, operator: Operator
) -> None:
    publish(registry, "1.0.0")
    operator.get()
    publish(registry, "1.1.0")
    registry.faults["/manifests/"] = Fault.CLOSED
    obtained = operator.get()
    assert obtained.unreachable is not None
    assert str(obtained.stored.tag.version) == "1.0.0"


def test_4_nothing_here_and_nobody_answers(registry: FakeRegistry, operator: Operator) -> None:
    registry.faults["/"] = Fault.CLOSED
    with pytest.raises(MarketplaceUnavailable):
        operator.get()


def test_4_another_marketplaces_content_does_not_stand_in(
    registry: FakeRegistry, operator: Operator
) -> None:
    put_package(operator.store, package(), f"evil.example/{NAME}:1.2.0")
    registry.faults["/"] = Fault.CLOSED
    with pytest.raises(MarketplaceUnavailable):
        operator.get()
    with pytest.raises(MarketplaceUnavailable):
        operator.get(f"{origin_of(registry.url)}/{NAME}:1.2.0")


def test_a_marketplace_that_has_no_such_package_says_what_is_here(
    registry: FakeRegistry, operator: Operator
) -> None:
    put_package(operator.store, package(version="1.0.0"))
    with pytest.raises(MarketplaceNotFound) as caught:
        operator.get()
    assert "1.0.0 is on this node" in caught.value.hint


def test_nothing_is_asked_if_nothing_may_be(registry: FakeRegistry, operator: Operator) -> None:
    publish(registry, "1.0.0")

    def offline(reference: Reference) -> Obtained:
        return obtain(reference, operator.marketplace, operator.store, connect, may_ask=False)

    with pytest.raises(MarketplaceNotFound, match="not on this machine"):
        offline(parse_reference(NAME))
    put_package(operator.store, package(version="0.9.0"))
    assert str(offline(parse_reference(NAME)).stored.tag.version) == "0.9.0"
    assert registry.requests == []


def test_1_a_host_is_asked_for_a_digest_that_came_from_elsewhere(
    registry: FakeRegistry, operator: Operator
) -> None:
    made = publish(registry, "1.0.0")
    put_package(operator.store, made, f"other.example/{NAME}:1.0.0")
    text = f"{origin_of(registry.url)}/{NAME}@{made.manifest.digest}"
    operator.registry.requests.clear()
    assert operator.get(text).stored.tag.origin == origin_of(registry.url)
    assert any("/manifests/" in path for _, path in registry.requests)
    assert not any("/blobs/" in path for _, path in registry.requests)
    operator.get(text)
    assert registry.requests == []  # it said so before


def test_1_a_host_that_has_no_such_digest_refuses_what_is_here(
    registry: FakeRegistry, operator: Operator
) -> None:
    publish(registry, "1.0.0")
    other = package(version="2.0.0")
    put_package(operator.store, other, f"other.example/{NAME}:2.0.0")
    text = f"{origin_of(registry.url)}/{NAME}@{other.manifest.digest}"
    with pytest.raises(MarketplaceNotFound, match=str(other.manifest.digest)) as caught:
        operator.get(text)
    assert caught.value.hint == "versions there: 1.0.0"


def test_1_offline_a_host_that_was_not_asked_is_refused(operator: Operator) -> None:
    made = package()
    put_package(operator.store, made, f"other.example/{NAME}:1.0.0")
    wanted = parse_reference(f"evil.example/{NAME}@{made.manifest.digest}")
    with pytest.raises(MarketplaceNotFound, match=r"^evil\.example was never asked for") as caught:
        obtain(wanted, operator.marketplace, operator.store, connect, may_ask=False)
    assert "came from other.example" in caught.value.message
    assert (
        obtain(
            wanted.local, operator.marketplace, operator.store, connect, may_ask=False
        ).stored.digest
        == made.manifest.digest
    )


def test_a_version_that_is_not_there_is_told_with_those_that_are(
    registry: FakeRegistry, operator: Operator
) -> None:
    publish(registry, "1.0.0")
    publish(registry, "1.10.0")
    with pytest.raises(MarketplaceNotFound) as caught:
        operator.get(f"{NAME}:9.9.9")
    assert caught.value.message == f"{registry.url} has no {NAME}:9.9.9"
    assert caught.value.hint == "versions there: 1.10.0, 1.0.0"
