"""No worker has all the slow tests, and none is lost."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from tests.house.spreading import spread


class Item:
    def __init__(self, path: str, number: int) -> None:
        self.path, self.number = Path(path), number

    def get_closest_marker(self, name: str) -> bool:
        return name == "slow" and self.path.name.startswith("slow")


def module(path: str, count: int) -> list[pytest.Item]:
    return [cast("pytest.Item", Item(path, number)) for number in range(count)]


def paths(items: Sequence[pytest.Item]) -> list[str]:
    return [item.path.name for item in items]


def test_every_piece_begins_with_its_share_of_slow_modules() -> None:
    everything = [*module("slow-a", 3), *module("slow-b", 2), *module("fast", 11)]
    spread_out = spread(everything, 2)
    assert paths(spread_out[:8]) == ["slow-a"] * 3 + ["fast"] * 5
    assert paths(spread_out[8:]) == ["slow-b"] * 2 + ["fast"] * 6
    assert sorted(map(id, spread_out)) == sorted(map(id, everything))


def test_more_slow_tests_than_a_piece_has_room_for_are_not_lost() -> None:
    everything = [*module("slow-a", 9), *module("fast", 1)]
    assert sorted(map(id, spread(everything, 4))) == sorted(map(id, everything))
