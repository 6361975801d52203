"""A BTF type as C text: declarations of members and typedefs, bodies of structs and enums.

Source of the grammar: ISO C11, 6.7, with clang's extensions: arrays of length 0, attributes of
enums. Type tags are left out: the verifier reads them in the kernel's types, not in an object's.
"""

import re
from collections.abc import Callable, Iterator

from skep.bytecode.btf.c_layout import CLayouts
from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import BtfType, Kind

Name = Callable[[BtfType], str]
"""The name of a struct, union, enum or typedef in C; empty for one that is written out."""

_STEPS = 64  # of a declarator: pointers, arrays, functions
_NESTING = 32
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OTHER = re.compile(r"[^A-Za-z0-9_]")
_QUALIFIERS = {Kind.CONST: "const", Kind.VOLATILE: "volatile", Kind.RESTRICT: "restrict"}
_WORDS = {Kind.STRUCT: "struct", Kind.UNION: "union", Kind.ENUM: "enum", Kind.ENUM64: "enum"}
_ENUM_MODES = {1: "QI", 2: "HI", 8: "DI"}
# fmt: off
_KEYWORDS = frozenset({
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum",
    "extern", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict",
    "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "typeof",
    "union", "unsigned", "void", "volatile", "while", "asm", "_Bool",
})
# fmt: on


def c_name(name: str) -> str:
    """``name`` as an identifier: those of Rust have characters that C does not have."""
    text = _OTHER.sub("_", name)
    if not _WORD.fullmatch(text):
        text = f"_{text}"
    return f"{text}_" if text in _KEYWORDS else text


class Declarations:
    """Writes the types of one table as C."""

    def __init__(
        self, table: TypeTable, layouts: CLayouts, name: Name, enumerator: Callable[[str], str]
    ) -> None:
        """Begin.

        Args:
            name: of named types.
            enumerator: the name of an enumerator, which is unique in C; asked once for each that
                is written.
        """
        self._table = table
        self._layouts = layouts
        self._name = name
        self._enumerator = enumerator
        # What has no name is written out wherever it is used, which a file could make endless.
        self._left = 100_000 + 8 * len(table)

    def declare(self, type_id: int, declared: str, indent: int = 0, depth: int = 0) -> str:
        """``declared`` with that type, without a semicolon: ``int (*declared)[4]``.

        Raises:
            MalformedBtf: nested too deeply, or a type that nothing can be declared with.
        """
        if depth > _NESTING:
            raise MalformedBtf(f"expected types nested at most {_NESTING} deep")
        self._left -= 1
        if self._left < 0:
            raise MalformedBtf("expected types without a name to be used less often")
        qualifiers: list[str] = []
        text = declared
        for _ in range(_STEPS):
            found = self._table.type(type_id)
            match found.kind:
                case Kind.PTR:
                    words = " ".join(qualifiers)
                    qualifiers = []
                    text = f"*{words} {text}".rstrip() if words else f"*{text}"
                case Kind.CONST | Kind.VOLATILE | Kind.RESTRICT:
                    word = _QUALIFIERS[found.kind]
                    if word not in qualifiers:
                        qualifiers.append(word)
                case Kind.TYPE_TAG:
                    pass
                case Kind.ARRAY:
                    text = f"{_grouped(text)}[{found.elements}]"
                case Kind.FUNC_PROTO:
                    qualifiers = []
                    text = f"{_grouped(text)}({self._parameters(found, indent, depth)})"
                case _:
                    base = self._base(found, indent, depth)
                    return " ".join([*qualifiers, base, text]).rstrip()
            type_id = found.refers_to
        raise MalformedBtf(f"expected a type of at most {_STEPS} steps")

    def _parameters(self, prototype: BtfType, indent: int, depth: int) -> str:
        """Types of parameters, without names: a name could hide a type that comes after it."""
        if not prototype.parameters:
            return "void"
        return ", ".join(
            "..." if not each.name and not each.type_id
            else self.declare(each.type_id, "", indent, depth + 1)
            for each in prototype.parameters
        )  # fmt: skip

    def _base(self, found: BtfType, indent: int, depth: int) -> str:
        match found.kind:
            case Kind.VOID:
                return "void"
            case Kind.INT | Kind.FLOAT:
                return _plain(found)
            case Kind.TYPEDEF:
                return self._name(found)
            case Kind.FWD:
                return f"{'union' if found.is_flagged else 'struct'} {self._name(found)}"
            case Kind.STRUCT | Kind.UNION:
                name = self._name(found)
                return f"{_WORDS[found.kind]} {name}" if name else self.body(found, indent, depth)
            case Kind.ENUM | Kind.ENUM64:
                name = self._name(found)
                return f"enum {name}" if name else self.enum_body(found, indent)
        raise MalformedBtf(f"expected a type that can be declared, got {found.kind.name}")

    def body(self, struct: BtfType, indent: int = 0, depth: int = 0) -> str:
        """``struct name { … }`` with its members, one a line."""
        blank = "\t" * (indent + 1)
        lines = [f"{blank}{line};" for line in self._members(struct, indent + 1, depth)]
        head = " ".join(part for part in (_WORDS[struct.kind], self._name(struct)) if part)
        packed = " __attribute__((packed))" if self._layouts.of(struct).is_packed else ""
        inside = "\n".join(lines)
        end = "\t" * indent
        return f"{head} {{\n{inside}\n{end}}}{packed}" if lines else f"{head} {{}}{packed}"

    def _members(self, struct: BtfType, indent: int, depth: int) -> Iterator[str]:
        layout = self._layouts.of(struct)
        for member, gap in zip(struct.members, layout.gaps, strict=False):
            yield from (f"{unit}: {bits}" for unit, bits in gap)
            name = c_name(member.name) if member.name else ""
            _, bits = self._layouts.bits_of(struct, member)
            text = self.declare(member.type_id, name, indent, depth + 1)
            yield f"{text}: {bits}" if bits else text
        yield from (f"{unit}: {bits}" for unit, bits in layout.gaps[-1])
        if layout.fill_bytes:
            yield f"unsigned char __size[{layout.fill_bytes}]"

    def enum_body(self, enum: BtfType, indent: int = 0) -> str:
        """``enum name { A = 0, … }``."""
        blank = "\t" * (indent + 1)
        head = " ".join(part for part in ("enum", self._name(enum)) if part)
        if not enum.enumerators:
            return head
        lines = [
            f"{blank}{self._enumerator(c_name(each.name))} = {_number(each.value)},"
            for each in enum.enumerators
        ]
        values = [each.value for each in enum.enumerators]
        is_wide = max(values) >= 1 << 32 or min(values) < -(1 << 31)  # then it is by itself
        mode = None if is_wide else _ENUM_MODES.get(enum.size)
        attribute = f" __attribute__((mode({mode})))" if mode else ""
        inside = "\n".join(lines)
        end = "\t" * indent
        return f"{head} {{\n{inside}\n{end}}}{attribute}"


def _grouped(text: str) -> str:
    return f"({text})" if text.startswith("*") else text


def _plain(found: BtfType) -> str:
    """A type of the language; compilers name them all in their own order."""
    words = found.name.split()
    if all(word in _KEYWORDS or word in ("__int128", "bool") for word in words) and words:
        return "_Bool" if words == ["bool"] else found.name
    raise MalformedBtf(f"expected a type of C, got {found.name!r}")


def _number(value: int) -> str:
    if -(1 << 31) <= value < 1 << 31:
        return str(value) if value != -(1 << 31) else "(-2147483647 - 1)"
    if value < 0:
        return f"{value}LL" if value != -(1 << 63) else "(-9223372036854775807LL - 1)"
    return f"{value}U" if value < 1 << 32 else f"{value}ULL"
