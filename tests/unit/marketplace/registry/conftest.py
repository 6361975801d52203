from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.builders.pushing import RawClient
from tests.builders.trust import NOW, signer

from skep.marketplace.registry.settings import Limits, ServeSettings
from skep.marketplace.registry.wiring import running_server


class TurnableClock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **how: int) -> None:
        self.now += timedelta(**how)


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture
def settings(tmp_path: Path) -> ServeSettings:
    return ServeSettings(
        directory=tmp_path / "marketplace",
        port=0,
        publishers={
            "acme": (signer().public_key.pem,),
            "rival": (signer("rival").public_key.pem,),
        },
        limits=Limits(
            manifest_bytes=64 << 10,
            blob_bytes=3 << 20,
            document_bytes=4096,
            staged_bytes=8 << 20,
            open_uploads=4,
        ),
    )


@pytest.fixture
def client(settings: ServeSettings, clock: TurnableClock) -> Iterator[RawClient]:
    with running_server(settings, clock) as url:
        raw = RawClient(url)
        yield raw
        raw.close()
