"""A tiny assembler of ``.BTF`` and ``.BTF.ext`` sections, of either byte order."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from skep.bytecode.btf.types import Kind

ByteOrder = Literal["little", "big"]


@dataclass
class BtfBuilder:
    """Types and strings; every method that adds a type gives its id."""

    byteorder: ByteOrder = "little"
    types: list[bytes] = field(default_factory=list)
    strings: bytes = b"\0"

    @property
    def word(self) -> str:
        return "<" if self.byteorder == "little" else ">"

    def string(self, text: str) -> int:
        if not text:
            return 0
        offset = len(self.strings)
        self.strings += text.encode() + b"\0"
        return offset

    def raw(
        self,
        kind: int,
        name: str = "",
        *,
        count: int = 0,
        value: int = 0,
        tail: Sequence[int] = (),
        flag: bool = False,
    ) -> int:
        info = kind << 24 | count | flag << 31
        words = [self.string(name), info, value, *(word & 0xFFFFFFFF for word in tail)]
        self.types.append(struct.pack(f"{self.word}{len(words)}I", *words))
        return len(self.types)

    def integer(self, name: str = "int", size: int = 4) -> int:
        return self.raw(Kind.INT, name, value=size, tail=[size * 8])

    def pointer(self, to: int) -> int:
        return self.raw(Kind.PTR, value=to)

    def modifier(self, kind: Kind, to: int, name: str = "") -> int:
        return self.raw(kind, name, value=to)

    def array(self, element: int, count: int) -> int:
        return self.raw(Kind.ARRAY, tail=[element, element, count])

    def struct(
        self, name: str, size: int, members: Sequence[tuple[str, int, int]], *, flag: bool = False
    ) -> int:
        tail = [word for n, t, o in members for word in (self.string(n), t, o)]
        return self.raw(Kind.STRUCT, name, count=len(members), value=size, tail=tail, flag=flag)

    def enum(self, name: str, values: Sequence[tuple[str, int]], *, signed: bool = False) -> int:
        tail = [word for n, v in values for word in (self.string(n), v)]
        return self.raw(Kind.ENUM, name, count=len(values), value=4, tail=tail, flag=signed)

    def enum64(self, name: str, values: Sequence[tuple[str, int]], *, signed: bool = False) -> int:
        tail = [word for n, v in values for word in (self.string(n), v & 0xFFFFFFFF, v >> 32)]
        return self.raw(Kind.ENUM64, name, count=len(values), value=8, tail=tail, flag=signed)

    def variable(self, name: str, of: int) -> int:
        return self.raw(Kind.VAR, name, value=of, tail=[1])

    def datasec(self, name: str, entries: Sequence[tuple[int, int, int]], size: int = 0) -> int:
        tail = [word for entry in entries for word in entry]
        return self.raw(Kind.DATASEC, name, count=len(entries), value=size, tail=tail)

    def function(self, name: str, linkage: int = 1) -> int:
        prototype = self.raw(Kind.FUNC_PROTO)
        return self.raw(Kind.FUNC, name, count=linkage, value=prototype)

    def number(self, value: int) -> int:
        """What ``__uint(name, value)`` makes: a pointer to an array."""
        return self.pointer(self.array(self.integer(), value))

    def build(self) -> bytes:
        types = b"".join(self.types)
        header = struct.pack(
            f"{self.word}HBBIIIII",
            0xEB9F,
            1,
            0,
            24,
            0,
            len(types),
            len(types),
            len(self.strings),
        )
        return header + types + self.strings

    def extension(
        self,
        *,
        functions: Sequence[tuple[str, Sequence[tuple[int, ...]]]] = (),
        lines: Sequence[tuple[str, Sequence[tuple[int, ...]]]] = (),
        core: Sequence[tuple[str, Sequence[tuple[int, ...]]]] = (),
    ) -> bytes:
        """A ``.BTF.ext`` section; call before :meth:`build`, it adds section names."""
        parts = [self._part(functions, 8), self._part(lines, 16), self._part(core, 16)]
        places = []
        offset = 0
        for part in parts:
            places += [offset, len(part)]
            offset += len(part)
        header = struct.pack(f"{self.word}HBBI", 0xEB9F, 1, 0, 32)
        return header + struct.pack(f"{self.word}6I", *places) + b"".join(parts)

    def _part(self, groups: Sequence[tuple[str, Sequence[tuple[int, ...]]]], stride: int) -> bytes:
        if not groups:
            return b""
        data = struct.pack(f"{self.word}I", stride)
        for section, records in groups:
            data += struct.pack(f"{self.word}II", self.string(section), len(records))
            for record in records:
                data += struct.pack(f"{self.word}{len(record)}I", *record)
        return data
