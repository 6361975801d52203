"""What a compiler says, in the order that helps: errors first, and paths as the author knows them.

A message begins with a line that has a place and a severity, after the chain of includes that led
there if there is one; what follows it (the source line, notes, expansions of macros) belongs to it.

Source: the format of clang's diagnostics, which zig passes on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path, PurePosixPath

_PLACE = r"(?P<path>[^\s:][^:\n]*):(?P<line>\d+)(?::\d+)?"
_MESSAGE = re.compile(
    rf"(?:{_PLACE}: |[\w.+-]+: )?(?P<severity>fatal error|error|warning): (?P<text>.*)"
)
_LEADING_HERE = re.compile(r"In file included from ")
_PATH = re.compile(rf"^(?P<before>In file included from )?{_PLACE}(?=:)")
_NOTE = re.compile(rf"(?:{_PLACE}: )?note: ")
_COUNTED = re.compile(r"\d+ (?:warning|error)s?(?: and \d+ errors?)? generated\.")
_UNDECLARED = re.compile(r"undeclared (?:identifier|function) '(\w+)'")
_INCOMPLETE = re.compile(r"incomplete (?:definition of )?type|variable has incomplete type")
_KERNEL_ONLY = ("linux/", "asm/", "net/", "uapi/", "trace/")
_TYPES = (
    '#include "vmlinux.h" for types of the kernel; skep headers vmlinux writes one of your kernel'
)
_THERE = "bpf/*.h, skep/*.h, linux/*.h, asm/*.h, vmlinux.h and a few of a C library"
_MOST_NOTES = 2  # of a message
_MOST_INCLUDES = 3  # lines that lead to it
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


def shortened(message: Message) -> list[str]:
    """A message without most of its notes: of each only the first line, and of many a few."""
    includes = [line for line in message.lines if _LEADING_HERE.match(line)]
    kept: list[str] = []
    notes = 0
    for line in message.lines:
        if line in includes[1:-1] and len(includes) > _MOST_INCLUDES:
            continue
        if _NOTE.match(line):
            notes += 1
            if notes <= _MOST_NOTES:
                kept.append(line)
        elif not notes or _COUNTED.fullmatch(line):
            kept.append(line)
    if notes > _MOST_NOTES:
        kept.append(f"… {notes - _MOST_NOTES} more notes")
    return kept


def advice(message: Message, source: str) -> str:
    """What to do about an error that is often made; empty if nothing sensible can be said.

    Args:
        source: path of the C file, as its author writes it.
    """
    header = message.missing_header
    if header:
        return _header_advice(header, source)
    match = _UNDECLARED.search(message.heading)
    if match and match[1].startswith("bpf_"):
        return "#include <bpf/bpf_helpers.h>"
    return _TYPES if _INCOMPLETE.search(message.heading) else ""


def _header_advice(header: str, source: str) -> str:
    if header.startswith("vmlinux"):
        beside = str(PurePosixPath(source).parent / header)
        return f"skep headers vmlinux --output {beside} writes it"
    if header.startswith("bpf/"):
        system = 'libbpf = "system" in [build] takes the headers of an installed libbpf'
        return f"put {header} beside the source, or {system}; there are {_THERE}"
    if header.startswith(_KERNEL_ONLY):
        return _TYPES
    return f"put {header} beside the source; there are {_THERE}"


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
