"""Progress of long work, as values."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in total."""


class ByteMeter:
    """Counts bytes towards a total and reports them.

    Args:
        total: bytes.
        progress: told after every step; ``None``: nobody.
    """

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def advance(self, count: int) -> None:
        """Add ``count`` bytes."""
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)
