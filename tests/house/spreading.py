"""Slow tests, spread over the workers of a suite."""

from itertools import groupby

import pytest


def spread(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests, in as many pieces of equal length, each with slow modules first."""
    modules = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    slow = sorted(filter(_is_slow, modules), key=len, reverse=True)
    fast = [item for module in modules if not _is_slow(module) for item in module]
    pieces: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for module in slow:
        min(pieces, key=len).extend(module)
    ordered: list[pytest.Item] = []
    for number, piece in enumerate(pieces):
        room = len(items) * (number + 1) // workers - len(ordered) - len(piece)
        ordered += [*piece, *fast[: max(room, 0)]]
        del fast[: max(room, 0)]
    return [*ordered, *fast]


def _is_slow(module: list[pytest.Item]) -> bool:
    return any(item.get_closest_marker(name) for item in module for name in ("slow", "kernel"))
