"""Where the keys of a TOML document stand: the line of each, for messages.

Paths are written as :class:`skep.packages.fields.Fields` writes them: ``program[0].hook``. The
document was parsed before, so it is known to be TOML; this reads its tokens once more.

Source: https://toml.io/en/v1.0.0
"""

import re
import tomllib
from collections.abc import Mapping

from skep.packages.names import one_line

_TOKENS = re.compile(
    r'(?P<text>"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}|\'\'\'(?:[^\']|\'(?!\'\'))*+\'{3,5}'
    r'|"(?:[^"\\\n]|\\[^\n])*+"|' + r"'[^'\n]*+')"
    r"|(?P<bare>[A-Za-z0-9_-]++)"
    r"|(?P<mark>[=.,{}\[\]\n])"
    r"|(?P<skipped>#[^\n]*+|.)",
    re.DOTALL,
)
_LAST_PART = re.compile(r"(?:\[\d+\]|\.[^.\[]*|(?<!\])[^.\[\]]+)$")
_END = ""


def key_lines(toml: bytes) -> dict[str, int]:
    r"""Lines of all keys and tables by path, counted from 1.

    >>> key_lines(b'[package]\n[[program]]\nchain = {run_on = []}')["program[0].chain"]
    3
    """
    places = _Places(toml.decode("utf-8-sig", "replace"))
    places.read()
    return places.lines


def line_of(lines: Mapping[str, int], path: str) -> int | None:
    """The line of ``path``, or of the nearest table around it; ``None`` if there is none.

    >>> line_of({"package": 3}, "package.licence")
    3
    """
    while path:
        if path in lines:
            return lines[path]
        shorter = _LAST_PART.sub("", path)
        if shorter == path:
            return None
        path = shorter
    return None


class _Places:
    """One pass over the tokens of a document."""

    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._tokens: list[tuple[str, str, int]] = []
        self._next = 0
        self._counts: dict[str, int] = {}
        line = 1
        for match in _TOKENS.finditer(text):
            kind = match.lastgroup or ""
            if kind != "skipped":
                self._tokens.append((kind, match[0], line))
            line += match[0].count("\n")

    def _mark(self, offset: int = 0) -> str:
        """The mark that comes next; empty at the end, and for anything else."""
        position = self._next + offset
        if position >= len(self._tokens):
            return _END
        kind, text, _ = self._tokens[position]
        return text if kind == "mark" else _END

    def _is_at_end(self) -> bool:
        return self._next >= len(self._tokens)

    def read(self) -> None:
        """Read the document."""
        base = ""
        while not self._is_at_end():
            if self._mark() == "[":
                base = self._header()
            elif self._mark():
                self._next += 1
            else:
                self._pair(base)

    def _header(self) -> str:
        line = self._tokens[self._next][2]
        is_list = self._mark(1) == "["
        self._next += 2 if is_list else 1
        keys = self._keys()
        path = ""
        for position, key in enumerate(keys):
            path = f"{path}.{key}" if path else key
            if is_list and position == len(keys) - 1:
                self._counts[path] = self._counts.get(path, 0) + 1
                self.lines.setdefault(path, line)
            if path in self._counts:
                path += f"[{self._counts[path] - 1}]"
            self.lines.setdefault(path, line)
        while self._mark() == "]":
            self._next += 1
        return path

    def _keys(self) -> list[str]:
        keys = []
        while not self._is_at_end():
            kind, text, _ = self._tokens[self._next]
            if kind == "mark" and text != ".":
                break
            if kind == "bare":
                keys.append(one_line(text, 64))
            elif kind == "text":
                keys.append(one_line(str(tomllib.loads(f"k={text}")["k"]), 64))
            self._next += 1
        return keys

    def _pair(self, base: str) -> None:
        line = self._tokens[self._next][2]
        path = base
        for key in self._keys():
            path = f"{path}.{key}" if path else key
            self.lines.setdefault(path, line)
        if self._mark() == "=":
            self._next += 1
        self._value(path)

    def _value(self, path: str) -> None:
        opening = self._mark()
        if opening not in {"{", "["} or not opening:
            while not self._is_at_end() and self._mark() not in {",", "}", "]", "\n"}:
                self._next += 1
            return
        self._next += 1
        count = 0
        while not self._is_at_end():
            if self._mark() in {"}", "]"}:
                self._next += 1
                return
            if self._mark() in {",", "\n", "=", "."}:
                self._next += 1
            elif opening == "{":
                self._pair(path)
            else:
                self.lines.setdefault(f"{path}[{count}]", self._tokens[self._next][2])
                self._value(f"{path}[{count}]")
                count += 1
