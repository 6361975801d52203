"""``key=value`` as people type settings."""

from collections.abc import Iterable

from skep.errors import UsageError


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Read ``key=value`` texts.

    >>> parse_assignments(["rate=100/s", "ports=80,443"])
    {'rate': '100/s', 'ports': '80,443'}

    Raises:
        UsageError: there is no ``=``, or a key comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise UsageError(f"expected NAME=VALUE, got {text!r}", hint="for example rate=100/s")
        if key in found:
            raise UsageError(f"{key} is set twice")
        found[key] = value
    return found


def parse_changes(texts: Iterable[str], resets: Iterable[str]) -> dict[str, str | None]:
    """Read ``key=value`` texts, and names to be taken back to what their authors chose.

    >>> parse_changes(["rate=100/s"], ["ports"])
    {'rate': '100/s', 'ports': None}

    Raises:
        UsageError: as :func:`parse_assignments`, or a key is set and reset.
    """
    found: dict[str, str | None] = {**parse_assignments(texts)}
    for key in resets:
        if found.get(key) is not None:
            raise UsageError(f"{key} is set and reset")
        found[key] = None
    return found
