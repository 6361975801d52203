from pathlib import Path

import pytest

from skep.packages.local.content_store import ContentStore


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "store")
