"""What was probably meant by a name that is not there."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of ``known`` that was probably meant; empty if none is near.

    >>> nearest("licens", ["licence", "name"]), nearest("colour", ["licence", "name"])
    ('licence', '')
    """
    return next(iter(get_close_matches(word, known, 1, 0.6)), "")
