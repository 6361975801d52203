"""What a compiler says, in the order that helps: errors first, and paths as the author knows them.

A message begins with a line that has a place and a severity, after the chain of includes that led
there if there is one; what follows it (the source line, notes, expansions of macros) belongs to it.

Source: the format of clang's diagnostics, which zig passes on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path

_PLACE = r"(?P<path>[^\s:][^:\n]*):(?P<line>\d+)(?::\d+)?"
_MESSAGE = re.compile(
    rf"(?:{_PLACE}: |[\w.+-]+: )?(?P<severity>fatal error|error|warning): (?P<text>.*)"
)
_LEADING_HERE = re.compile(r"In file included from ")
_PATH = re.compile(rf"^(?P<before>In file included from )?{_PLACE}(?=:)")
_NOT_FOUND = re.compile(r"'([^']+)' file not found")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a compiler.

    Attributes:
        lines: all that belongs to it.
        heading: the line with place and severity.
        is_error: and not a warning.
    """

    lines: tuple[str, ...]
    heading: str
    is_error: bool

    @property
    def missing_header(self) -> str:
        """The header that it did not find, empty if it says something else."""
        match = _NOT_FOUND.search(self.heading)
        return match[1] if match else ""


def read_messages(text: str) -> list[Message]:
    """Messages in the compiler's order; lines before the first belong to it."""
    messages: list[Message] = []
    lines: list[str] = []
    heading: re.Match[str] | None = None

    def close() -> None:
        if lines:
            is_error = heading is not None and heading["severity"] != "warning"
            shown = heading[0] if heading else lines[0]
            messages.append(Message(tuple(lines), shown, is_error))
            lines.clear()

    for line in text.splitlines():
        match = _MESSAGE.match(line)
        opens = bool(_LEADING_HERE.match(line)) and heading is not None
        if opens or (match and heading is not None):
            close()
            heading = None
        if match:
            heading = match
        lines.append(line)
    close()
    return messages


def errors_first(messages: Sequence[Message]) -> list[Message]:
    """Errors in their order, then everything else in its order."""
    return sorted(messages, key=lambda message: not message.is_error)


def show_paths(text: str, directory: Path, root: Path, include: Sequence[tuple[Path, str]]) -> str:
    """Paths at the beginning of lines, as the author writes them.

    Args:
        directory: the compiler's, which relative paths begin at.
        root: of the package; paths inside are shown relative to it.
        include: directories of headers, and what is written in place of each.
    """

    def shown(match: re.Match[str]) -> str:
        path = Path(normpath(directory / match["path"]))
        name = match["path"]
        if path.is_relative_to(root):
            name = str(path.relative_to(root))
        else:
            for place, instead in include:
                if path.is_relative_to(place):
                    name = instead + str(path.relative_to(place))
                    break
        start, end = match.span("path")
        return match[0][: start - match.start()] + name + match[0][end - match.start() :]

    return "\n".join(_PATH.sub(shown, line) for line in text.splitlines())
