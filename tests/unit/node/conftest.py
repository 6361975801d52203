from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.nodes import FakeNode


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FakeNode]:
    made = FakeNode(tmp_path)
    yield made
    made.close()
