from collections.abc import Iterator

import pytest
from tests.fakes.registry import FakeRegistry, running_fake_registry

from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.transport import Timeouts, Transport


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with running_fake_registry() as running:
        yield running


@pytest.fixture
def client(registry: FakeRegistry) -> Iterator[MarketplaceClient]:
    transport = Transport(registry.url, Timeouts(connect=1, read=1, total=2))
    connected = MarketplaceClient(registry.url, transport)
    yield connected
    connected.close()
