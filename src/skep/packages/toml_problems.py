"""What is wrong with a ``skep.toml``, each problem with its line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from skep.packages.errors import MalformedMetadata
from skep.packages.fields import MISSING, Fields, UnreadKey
from skep.packages.nearest import nearest
from skep.packages.toml_places import key_lines, line_of

_INDEX = re.compile(r"\[\d+\]")
FILE = "skep.toml"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a document.

    Attributes:
        path: of the field.
        text: what is wrong.
        names_its_place: the text says where, and the path need not be shown.
    """

    path: str
    text: str
    names_its_place: bool = False

    def __str__(self) -> str:
        return self.text if self.names_its_place else f"{self.path}: {self.text}"


def refusal(toml: bytes, problems: Sequence[Problem], hint: str = "") -> MalformedMetadata:
    """The error of a document.

    Args:
        toml: the document.
        problems: at least one; the first by line is the message, all are the detail.
        hint: what to do, if there is one only.
    """
    lines = key_lines(toml)
    ordered = sorted(problems, key=lambda each: line_of(lines, each.path) or 0)
    placed = [f"{place_of(lines, each.path)}: {each}" for each in ordered]
    more = f" (and {len(placed) - 1} more)" if len(placed) > 1 else ""
    advice = "" if more else hint
    return MalformedMetadata(f"{placed[0]}{more}", hint=advice, detail="\n".join(placed))


def place_of(lines: dict[str, int], path: str) -> str:
    """File and line of a field, as compilers write them.

    >>> place_of({"package": 3}, "package.name")
    'skep.toml:3'
    """
    line = line_of(lines, path)
    return f"{FILE}:{line}" if line else FILE


def problems_of(document: Fields) -> list[Problem]:
    """What reading a document noted; a misspelt key takes the place of the one it stands for."""
    problems = [
        Problem(path, text)
        for path, _, text in (problem.partition(": ") for problem in document.problems)
    ]
    for unread in document.unread_keys():
        meant = nearest(unread.key, unread.known)
        path = f"{unread.table}.{meant}" if unread.table else meant
        for position, problem in enumerate(problems):
            if problem.path == path and problem.text.endswith(MISSING):
                problems[position] = unknown_key(unread)
    return problems


def unknown_key(unread: UnreadKey) -> Problem:
    """A key that means nothing here."""
    meant = nearest(unread.key, unread.known)
    guess = f'; did you mean "{meant}"?' if meant else ""
    text = f'unknown key "{unread.key}"{_heading(unread.table)}{guess}'
    return Problem(unread.path, text, names_its_place=True)


def _heading(path: str) -> str:
    """A table as the document has it: `` in [[program]]``."""
    plain = _INDEX.sub("", path)
    if not plain:
        return ""
    return f" in [[{plain}]]" if path.endswith("]") else f" in [{plain}]"
