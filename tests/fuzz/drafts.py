"""An object file taken apart, so that one thing of it can be made wrong and the rest stays right.

A file whose bytes are flipped at random is refused at the first header. A draft keeps sections,
headers and contents apart; what is put together again is a file whose tables still fit, unless a
mutation wanted them not to.
"""

import struct
from dataclasses import dataclass, field
from typing import Literal

HEADER_FIELDS = ("Q40", "Q32", "H16", "H18", "I20", "H58", "H60", "H62", "B4", "B5", "B6")
"""Kind and place of fields of the ELF header."""

SECTION_FIELDS = (
    "name", "kind", "flags", "address", "offset", "size", "link", "info", "alignment", "entry",
)  # fmt: skip
_HEADER = "IIQQQQIIQQ"

SYMBOL_TABLE, STRING_TABLE, RELA, NOBITS, REL = 2, 3, 4, 8, 9


@dataclass
class Part:
    """A section: its header as numbers by name, and its bytes.

    Attributes:
        lies: header fields that override what the contents say.
    """

    title: str
    fields: dict[str, int]
    data: bytearray
    lies: dict[str, int] = field(default_factory=dict)

    @property
    def is_code(self) -> bool:
        return self.fields["kind"] == 1 and bool(self.fields["flags"] & 4)

    def copy(self) -> "Part":
        return Part(self.title, dict(self.fields), bytearray(self.data), dict(self.lies))


@dataclass
class Draft:
    """Sections in order, the empty first one included."""

    byteorder: Literal["little", "big"]
    head: bytes
    parts: list[Part]
    names: int
    patches: list[tuple[str, int]] = field(default_factory=list)

    @property
    def word(self) -> str:
        return "<" if self.byteorder == "little" else ">"

    def copy(self) -> "Draft":
        parts = [part.copy() for part in self.parts]
        return Draft(self.byteorder, self.head, parts, self.names, list(self.patches))

    def named(self, *titles: str) -> list[Part]:
        return [part for part in self.parts if part.title in titles]

    def of_kind(self, *kinds: int) -> list[Part]:
        return [part for part in self.parts if part.fields["kind"] in kinds]

    def build(self) -> bytes:
        """The file; names that changed are added to the names, which symbols may share."""
        table = self.parts[self.names] if 0 < self.names < len(self.parts) else None
        strings = bytearray(b"" if table is None else table.data)
        places = [_place(strings, part) for part in self.parts]
        body = bytearray()
        headers = bytearray()
        for place, part in zip(places, self.parts, strict=True):
            values = dict(part.fields)
            values["name"] = place
            if values["kind"] not in (0, NOBITS):
                content = strings if part is table else part.data
                body += bytes(-len(body) % 8)
                values["offset"] = 64 + len(body)
                values["size"] = len(content)
                body += content
            values.update(part.lies)
            headers += struct.pack(
                f"{self.word}{_HEADER}",
                *map(_fitting, map(values.__getitem__, SECTION_FIELDS), _HEADER),
            )
        body += bytes(-len(body) % 8)
        head = bytearray(self.head)
        struct.pack_into(f"{self.word}Q", head, 40, 64 + len(body))
        count = min(len(self.parts), 0xFFFF)
        struct.pack_into(f"{self.word}HHH", head, 58, 64, count, self.names & 0xFFFF)
        for where, value in self.patches:
            code, place = where[0], int(where[1:])
            struct.pack_into(f"{self.word}{code}", head, place, _fitting(value, code))
        return bytes(head + body + headers)


def take_apart(data: bytes) -> Draft:
    """A valid object as a draft."""
    byteorder: Literal["little", "big"] = "little" if data[5] == 1 else "big"
    word = "<" if byteorder == "little" else ">"
    (table,) = struct.unpack_from(f"{word}Q", data, 40)
    count, names = struct.unpack_from(f"{word}HH", data, 60)
    stored = [
        dict(
            zip(
                SECTION_FIELDS,
                struct.unpack_from(f"{word}{_HEADER}", data, table + 64 * number),
                strict=True,
            )
        )
        for number in range(count)
    ]
    strings = stored[names]["offset"]
    parts = []
    for fields in stored:
        start = strings + fields["name"]
        title = data[start : data.index(0, start)].decode()
        is_empty = fields["kind"] in (0, NOBITS)
        end = fields["offset"] + (0 if is_empty else fields["size"])
        parts.append(Part(title, fields, bytearray(data[fields["offset"] : end])))
    return Draft(byteorder, data[:64], parts, names)


def _place(strings: bytearray, part: Part) -> int:
    """Where the name of ``part`` is among ``strings``; it is added if it is not where it was."""
    title = part.title.encode("utf-8", "surrogatepass") + b"\0"
    place = part.fields["name"]
    if strings[place : place + len(title)] == title:
        return place
    strings += title
    return len(strings) - len(title)


def _fitting(value: int, code: str) -> int:
    return value & (1 << 8 * struct.calcsize(f"<{code}")) - 1
