"""A C source and the files that it includes, as text: what it names, and which headers it needs.

Nothing is preprocessed: an ``#include`` inside of an ``#if`` that is false counts too. What is
found is therefore never too little, but for names that macros paste together.

Source: ISO C11, 6.10.2; files in quotes are looked up beside the including file first, as clang
does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skep.compiling.errors import SourceMissing

_MOST_FILES = 1000
_MOST_BYTES = 64 << 20
_INCLUDE = re.compile(
    r'^[ \t]*#[ \t]*include(?:_next)?[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>|(\S))', re.M
)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TEXTS = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.S)
_TAGS = re.compile(r"\b(?:struct|union|enum)\s+([A-Za-z_]\w*)", re.ASCII)
# Types that headers take for granted, and the iterators whose names bpf_for_each makes.
# fmt: off
_BASIC = frozenset({
    "__u8", "__u16", "__u32", "__u64", "__s8", "__s16", "__s32", "__s64", "__be16", "__be32",
    "__be64", "__le16", "__le32", "__le64", "__sum16", "__wsum", "size_t", "bool",
})
# fmt: on
_FOR_EACH = "bpf_for_each"
_ITERATOR = "bpf_iter_"
_HELPERS = "bpf_helper_defs.h"
_HELPER = re.compile(r"\(\*\s*const\s+(\w+)\)")


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """A source with the files that it includes.

    Attributes:
        own: text of the source, and of files that are not in the directories of headers.
        headers: text of files in the directories of headers, by path.
        not_found: names of files that are in neither.
        is_computed: an ``#include`` names its file by a macro.
    """

    own: tuple[str, ...]
    headers: dict[Path, str]
    not_found: frozenset[str]
    is_computed: bool

    def names(self) -> frozenset[str]:
        """Identifiers by which a type may be used.

        All those of the author's own files; of the headers the structs, unions and enums they
        name, and of helpers only those that are called.
        """
        found = {word for text in self.own for word in _IDENTIFIER.findall(_bare(text))}
        if _FOR_EACH in found:
            found |= {_ITERATOR + word for word in found}
        for path, text in self.headers.items():
            bare = _bare(text)
            if path.name != _HELPERS:
                found.update(_TAGS.findall(bare))
                continue
            for declaration in bare.split(";"):
                called = _HELPER.search(declaration)
                if called and called[1] in found:
                    found.update(_TAGS.findall(declaration))
        return frozenset(found | _BASIC)


def _bare(text: str) -> str:
    """``text`` without comments and quoted text."""
    return _TEXTS.sub(" ", text)


def read_sources(source: Path, include: Sequence[Path]) -> SourceFiles:
    """Read a source and what it includes, each file once.

    Args:
        include: directories of headers, in order of search.

    Raises:
        SourceMissing: the source, or a file beside it, cannot be read; or there is too much.
    """
    own: list[str] = []
    headers: dict[Path, str] = {}
    not_found: set[str] = set()
    is_computed = False
    seen: set[Path] = set()
    waiting = [(source, False)]
    size = 0
    while waiting:
        path, is_header = waiting.pop()
        path = path.resolve()
        if path in seen:
            continue
        seen.add(path)
        try:
            with path.open("rb") as file:
                text = file.read(_MOST_BYTES + 1).decode("utf-8", "replace")
        except OSError as error:
            raise SourceMissing(f"{path} cannot be read: {error.strerror}") from error
        size += len(text)
        if len(seen) > _MOST_FILES or size > _MOST_BYTES:
            raise SourceMissing(f"{source.name} includes more than {_MOST_FILES} files or 64 MB")
        if is_header:
            headers[path] = text
        else:
            own.append(text)
        for quoted, angled, computed in _INCLUDE.findall(text):
            if computed:
                is_computed = True
                continue
            beside = path.parent / quoted
            if quoted and beside.is_file():
                waiting.append((beside, is_header))
                continue
            name = quoted or angled
            place = next((d / name for d in include if (d / name).is_file()), None)
            if place is None:
                not_found.add(name)
            else:
                waiting.append((place, True))
    return SourceFiles(tuple(own), headers, frozenset(not_found), is_computed)
