"""Reading typed fields out of a parsed document, collecting every problem with its path.

JSON and TOML arrive as mappings of anything. A :class:`Fields` hands out typed values, notes what
is wrong and gives a harmless value in its place, so that one reading of a document finds all of
its problems. Whoever opened the document raises when :attr:`Fields.problems` is not empty.
"""

import json
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from skep.packages.names import one_line

MISSING = "but it is missing"
MOST_PROBLEMS = 50  # nobody reads more, and a hostile document could have a million


def shown(value: object) -> str:
    """A foreign value, short and safe, for a message."""
    if isinstance(value, str):
        return json.dumps(one_line(value, 60), ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # str() of a huge integer is refused by Python and slow before that.
        return str(value) if value.bit_length() <= 128 else "a huge integer"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, Sequence):
        return "a list"
    return f"a {type(value).__name__}"


@dataclass(frozen=True, slots=True)
class UnreadKey:
    """A key that nobody asked for.

    Attributes:
        table: path of the table it is in; empty for the document.
        key: as written.
        known: keys that were asked for in that table.
    """

    table: str
    key: str
    known: tuple[str, ...]

    @property
    def path(self) -> str:
        """Path of the key."""
        return f"{self.table}.{self.key}" if self.table else self.key


def _is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


class Fields:
    """One table of a document.

    Args:
        table: what was parsed; anything but a mapping is a problem by itself.
        path: where the table is, ``program[0]``; empty for the document.
        problems: shared by all tables of the document; sentences that start with a path.
    """

    def __init__(self, table: object, path: str = "", problems: list[str] | None = None) -> None:
        self.path = path
        self.problems: list[str] = [] if problems is None else problems
        self._read: set[str] = set()
        self._inner: dict[str, Fields] = {}
        self._table: Mapping[str, object] = {}
        if _is_table(table):
            self._table = table
        else:
            self._note(path or "the document", f"expected a table, got {shown(table)}")

    def at(self, key: str) -> str:
        """Path of the field ``key``; of the table itself if that is empty."""
        if not key:
            return self.path
        key = one_line(key, 64)
        return f"{self.path}.{key}" if self.path else key

    def _note(self, path: str, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(f"{path}: {problem}")

    def problem(self, key: str, problem: str) -> None:
        """Note that the field ``key`` is wrong."""
        self._note(self.at(key), problem)

    def _take(self, key: str, expected: str, *, required: bool) -> object:
        self._read.add(key)
        value = self._table.get(key)
        if value is None and required:
            # TOML has no null; in JSON a null where a value must be is as good as nothing.
            self.problem(key, f"expected {expected}, {MISSING}")
        return value

    def __contains__(self, key: str) -> bool:
        return self._table.get(key) is not None

    def items(self) -> ItemsView[str, object]:
        """All fields as parsed, which counts none of them as read."""
        return self._table.items()

    def text(
        self,
        key: str,
        expected: str,
        accepts: Callable[[str], bool] = bool,
        *,
        required: bool = True,
    ) -> str:
        """A string that ``accepts`` likes, any but the empty one if not said; else an empty one."""
        value = self._take(key, expected, required=required)
        if value is None:
            return ""
        if not isinstance(value, str) or not accepts(value):
            self.problem(key, f"expected {expected}, got {shown(value)}")
            return ""
        return value

    def texts(
        self, key: str, expected: str, accepts: Callable[[str], bool], *, required: bool = True
    ) -> tuple[str, ...]:
        """A list of different strings that ``accepts`` likes."""
        value = self._take(key, f"a list of {expected}", required=required)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.problem(key, f"expected a list of {expected}, got {shown(value)}")
            return ()
        found: dict[str, None] = {}
        for position, item in enumerate(value):
            if not isinstance(item, str) or not accepts(item):
                self.problem(f"{key}[{position}]", f"expected {expected}, got {shown(item)}")
            elif item in found:
                self.problem(f"{key}[{position}]", f"{shown(item)} is there twice")
            else:
                found[item] = None
        return tuple(found)

    def integer(
        self, key: str, expected: str, minimum: int, maximum: int, *, required: bool = True
    ) -> int | None:
        """An integer in ``minimum..maximum``; ``None`` if there is none or it is wrong."""
        value = self._take(key, expected, required=required)
        if value is None:
            return None
        # bool is an int in Python, and in no other place.
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            self.problem(key, f"expected {expected}, got {shown(value)}")
            return None
        return value

    def anything(self, key: str) -> object:
        """The value as parsed; ``None`` if there is none."""
        return self._take(key, "", required=False)

    def _open(self, key: str, value: object) -> "Fields":
        if key not in self._inner:
            self._inner[key] = Fields(value, self.at(key), self.problems)
        return self._inner[key]

    def table(self, key: str, *, required: bool = False) -> "Fields":
        """The table inside this one, always the same; an empty one if there is none."""
        value = self._take(key, "a table", required=required and key not in self._inner)
        return self._open(key, {} if value is None else value)

    def tables(self, key: str, most: int) -> Iterator["Fields"]:
        """The tables of a list."""
        value = self._take(key, "a list of tables", required=False)
        if value is None:
            return
        if not isinstance(value, list):
            self.problem(key, f"expected a list of tables, got {shown(value)}")
            return
        if len(value) > most:
            self.problem(key, f"expected at most {most} tables, got {len(value)}")
            return
        for position, item in enumerate(value):
            yield self._open(f"{key}[{position}]", item)

    def named_tables(self, key: str, most: int) -> Iterator[tuple[str, "Fields"]]:
        """The tables of a table, by name."""
        inner = self.table(key)
        if len(inner.items()) > most:
            self.problem(key, f"expected at most {most} tables, got {len(inner.items())}")
            return
        for name, _ in inner.items():
            yield name, inner.table(name)

    def text_mapping(self, key: str) -> dict[str, str]:
        """A table whose values are all strings."""
        inner = self.table(key)
        names = [name for name, _ in inner.items()]
        return {name: inner.text(name, "a string", lambda _: True) for name in names}

    def unread(self) -> dict[str, object]:
        """Fields that were not read, here and in nested tables, by path."""
        found = {self.at(key): value for key, value in self._table.items() if key not in self._read}
        for inner in self._inner.values():
            found |= inner.unread()
        return found

    def unread_keys(self) -> list[UnreadKey]:
        """The same, each with the keys it could have been."""
        known = tuple(sorted(self._read))
        found = [
            UnreadKey(self.path, one_line(key, 64), known)
            for key in self._table
            if key not in self._read
        ]
        for inner in self._inner.values():
            found += inner.unread_keys()
        return found
