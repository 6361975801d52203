"""What people search for: words, and filters ``name:WORD`` that look in one field only.

The text that is typed is what crosses the wire; server and client read it here. What looks like a
filter and is none is refused: searched for as words, it would find nothing, and say so wrongly.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from skep.errors import UsageError
from skep.packages.names import one_line
from skep.packages.nearest import nearest

Field = Literal["name", "summary"]
FILTERS: tuple[Field, ...] = get_args(Field)
LONGEST_QUERY = 200  # characters
_MOST_WORDS = 16
_WORD = re.compile(r"[^\W_]+")
_FILTER = re.compile(r"(-?)([^\W\d_][\w-]*):(.*)")


class UnknownFilter(UsageError):
    """A search has a filter that there is not."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search.

    Attributes:
        words: letters and digits; each begins some word of a package.
        filters: words that must begin a word of one field.
        is_void: something was typed, and nothing in it can be looked for.
    """

    words: tuple[str, ...]
    filters: tuple[tuple[Field, str], ...] = ()
    is_void: bool = False


def parse_query(text: str) -> SearchQuery:
    """Read a search; only letters and digits of it reach an index.

    >>> parse_query("rate-limit name:skep")
    SearchQuery(words=('rate', 'limit'), filters=(('name', 'skep'),), is_void=False)

    Raises:
        UnknownFilter: with the filters there are.
        UsageError: it is too long, or a filter has no word.
    """
    if len(text) > LONGEST_QUERY:
        raise UsageError(
            f"expected at most {LONGEST_QUERY} characters to search for, got {len(text)}"
        )
    words: list[str] = []
    filters: list[tuple[Field, str]] = []
    for token in text.split():
        match = _FILTER.fullmatch(token)
        if match is None:
            words += _WORD.findall(token.casefold())
            continue
        field = _field(token, *match.groups())
        found = _WORD.findall(match[3].casefold())
        if not found:
            raise UsageError(f"the filter {field}: has no word", hint=f"for example {field}:limit")
        filters += [(field, word) for word in found]
    is_void = bool(text.strip()) and not (words or filters)
    return SearchQuery(tuple(words[:_MOST_WORDS]), tuple(filters[:_MOST_WORDS]), is_void)


def _field(token: str, minus: str, name: str, value: str) -> Field:
    if not minus and name in FILTERS:
        return name
    known = ", ".join(f"{each}:" for each in FILTERS)
    meant = nearest(name, FILTERS)
    guess = f"did you mean {meant}:{one_line(value, 60)}? " if meant else ""
    plain = " ".join(_WORD.findall(value)) or name
    raise UnknownFilter(
        f'unknown filter "{one_line(token, 60)}"',
        hint=f"{guess}filters: {known}; words without one are looked for everywhere:"
        f" skep search {one_line(plain, 60)}",
    )
