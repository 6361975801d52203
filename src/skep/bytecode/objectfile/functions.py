"""Where functions begin and end, what they are called, and which of them are programs.

Compilers before about clang 7 emit no FUNC symbols, sections may begin without any symbol, and a
call within a section may name a place that no symbol names: a function begins at each of these.
It ends where the next one begins, or with its section.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from skep.bytecode.isa.instructions import SLOT_BYTES
from skep.bytecode.objectfile.code import Code
from skep.bytecode.objectfile.elf import FUNCTION, LOCAL, NOTYPE, ElfFile, Symbol
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import Function, ProgramSpec, Relocation
from skep.bytecode.objectfile.references import CodePlace, SymbolReference
from skep.bytecode.objectfile.sections import classify

_LABELS = ("L", ".L")
_VISIBILITY, _HIDDEN = 3, frozenset({1, 2})  # STV_INTERNAL, STV_HIDDEN


@dataclass(frozen=True, slots=True)
class _Start:
    """A function begins here; ``has_symbol`` is false if only a call or the section says so."""

    name: str
    is_static: bool
    has_symbol: bool = True
    is_hidden: bool = False


@dataclass(frozen=True)
class CodeMap:
    """Functions of an object, and who is where.

    Attributes:
        functions: in order of section and slot.
        starts: first slots of functions per section, ascending.
        names: of the functions per section, in the order of ``starts``.
        lengths: slots per section.
        referred: places that something calls or takes the address of.
    """

    functions: tuple[Function, ...]
    starts: Mapping[int, Sequence[int]]
    names: Mapping[int, Sequence[str]]
    lengths: Mapping[int, int]
    referred: frozenset[CodePlace]

    def locate(self, section: int, slot: int) -> tuple[str, int] | None:
        """Function a slot of a section is in, and the slot relative to it; ``None`` outside."""
        starts = self.starts.get(section, ())
        index = bisect_right(starts, slot) - 1
        if index < 0 or slot >= self.lengths[section]:
            return None
        return self.names[section][index], slot - starts[index]

    @cached_property
    def places(self) -> Mapping[str, CodePlace]:
        """Where each function begins, by name."""
        return {
            name: CodePlace(section, slot)
            for section, names in self.names.items()
            for name, slot in zip(names, self.starts[section], strict=True)
        }


def read_functions(
    elf: ElfFile,
    code: Mapping[int, Code],
    references: Mapping[int, list[SymbolReference]],
    type_ids: Mapping[CodePlace, int],
) -> CodeMap:
    """Divide ``code`` into functions.

    Args:
        references: per code section, ascending by slot.
        type_ids: BTF types of functions by place.

    Raises:
        MalformedObject: for a function outside its section, between two slots, or in the middle
            of a 64-bit load.
    """
    referred = frozenset(
        reference.target
        for section in references.values()
        for reference in section
        if reference.target is not None
    )
    starts = _starts(elf, code, referred)
    names = _unique_names(elf, starts)
    ordered = {
        number: sorted(place.slot for place in places)
        for number, places in _grouped(starts).items()
    }
    functions: list[Function] = []
    for number, section in code.items():
        slots = ordered[number]
        own = references[number]
        for first, end in zip(slots, [*slots[1:], len(section.instructions)], strict=True):
            place = CodePlace(number, first)
            functions.append(
                Function(
                    name=names[place],
                    section=section.section.name,
                    section_slot=first,
                    instructions=section.instructions[first:end],
                    relocations=_relocations(own, first, end, names),
                    is_static=starts[place].is_static,
                    is_hidden=starts[place].is_hidden,
                    type_id=type_ids.get(place, 0),
                )
            )
    lengths = {number: len(section.instructions) for number, section in code.items()}
    named = {
        number: [names[CodePlace(number, slot)] for slot in slots]
        for number, slots in ordered.items()
    }
    return CodeMap(tuple(functions), ordered, named, lengths, referred)


def read_programs(code: Mapping[int, Code], functions: CodeMap) -> tuple[ProgramSpec, ...]:
    """Functions that can be loaded as programs, in order of the file.

    Outside ``.text`` every function is one, but a static one that something calls. If there is
    nothing outside ``.text``, every function of it that is not static is one, of unknown type.
    """
    numbers = {section.section.name: number for number, section in code.items()}
    only_text = all(_is_text(name) for name in numbers)
    facts = {name: classify(name) for name in numbers}
    found: list[ProgramSpec] = []
    for function in functions.functions:
        if _is_text(function.section):
            is_entry = only_text and not function.is_static
        else:
            place = CodePlace(numbers[function.section], function.section_slot)
            is_entry = not (function.is_static and place in functions.referred)
        if is_entry:
            known = facts[function.section]
            found.append(
                ProgramSpec(
                    name=function.name,
                    section=function.section,
                    program_type=known.program_type,
                    attach_type=known.attach_type,
                    target=known.target,
                    is_sleepable=known.is_sleepable,
                    has_frags=known.has_frags,
                    is_optional=known.is_optional,
                )
            )
    return tuple(found)


def _is_text(section: str) -> bool:
    return section == ".text" or section.startswith(".text.")


def _starts(
    elf: ElfFile, code: Mapping[int, Code], referred: frozenset[CodePlace]
) -> dict[CodePlace, _Start]:
    found: dict[CodePlace, _Start] = {}
    labels: dict[CodePlace, str] = {}
    for symbol in elf.symbols:
        section = code.get(symbol.section)
        if section is None or symbol.kind not in (FUNCTION, NOTYPE):
            continue
        place = CodePlace(symbol.section, symbol.value // SLOT_BYTES)
        if symbol.kind == NOTYPE and (symbol.binding == LOCAL or _is_label(elf, symbol)):
            if place in referred and symbol.binding == LOCAL:
                labels.setdefault(place, elf.symbol_name(symbol))
            continue
        if symbol.value % SLOT_BYTES or symbol.value >= section.section.size:
            raise MalformedObject(
                f"expected function {elf.symbol_name(symbol)!r} inside {section.section.name!r}, "
                f"got byte {symbol.value}",
                offset=section.section.offset,
            )
        start = _Start(
            elf.symbol_name(symbol),
            is_static=symbol.binding == LOCAL,
            is_hidden=symbol.other & _VISIBILITY in _HIDDEN,
        )
        # Of two names for one place the first global one is kept.
        if place not in found or (found[place].is_static and not start.is_static):
            found[place] = start
    for place in referred:
        if place not in found:
            name = labels.get(place, "")
            if not name or name.startswith(_LABELS):
                name = f"{code[place.section].section.name}+{place.slot}"
            found[place] = _Start(name, is_static=True, has_symbol=False)
    for number, section in code.items():
        place = CodePlace(number, 0)
        if place not in found:
            found[place] = _Start(section.section.name, is_static=False, has_symbol=False)
        elif not found[place].has_symbol:
            found[place] = _Start(section.section.name, is_static=True, has_symbol=False)
    for place in found:
        wide = code[place.section].wide
        index = bisect_left(wide, place.slot) - 1
        if index >= 0 and wide[index] + 1 == place.slot:
            raise MalformedObject(
                f"expected functions that begin with an instruction, got {found[place].name!r} "
                "in the middle of a 64-bit load",
                offset=code[place.section].section.offset + SLOT_BYTES * place.slot,
            )
    return found


def _is_label(elf: ElfFile, symbol: Symbol) -> bool:
    return elf.symbol_name(symbol).startswith(_LABELS)


def _grouped(starts: Mapping[CodePlace, _Start]) -> dict[int, list[CodePlace]]:
    grouped: defaultdict[int, list[CodePlace]] = defaultdict(list)
    for place in starts:
        grouped[place.section].append(place)
    return dict(grouped)


def _unique_names(elf: ElfFile, starts: Mapping[CodePlace, _Start]) -> dict[CodePlace, str]:
    counted = Counter(start.name for start in starts.values())
    exported = Counter(start.name for start in starts.values() if not start.is_static)
    names: dict[CodePlace, str] = {}
    taken: set[str] = set()
    for place, start in sorted(starts.items(), key=lambda item: item[0]):
        name = start.name
        keeps_it = counted[name] == 1 or (not start.is_static and exported[name] == 1)
        section = elf.sections[place.section].name
        choices = [name] if keeps_it else []
        choices += [f"{section}:{name}", f"{section}:{name}+{place.slot}"]
        chosen = next((choice for choice in choices if choice and choice not in taken), None)
        if chosen is None or not name:
            raise MalformedObject(
                f"expected functions with names of their own, got two {name!r}",
                offset=elf.sections[place.section].offset,
            )
        names[place] = chosen
        taken.add(chosen)
    return names


def _relocations(
    references: Sequence[SymbolReference], first: int, end: int, names: Mapping[CodePlace, str]
) -> tuple[Relocation, ...]:
    low = bisect_left(references, first, key=lambda reference: reference.slot)
    high = bisect_left(references, end, key=lambda reference: reference.slot)
    return tuple(
        Relocation(
            slot=reference.slot - first,
            kind=reference.kind,
            name=reference.name if reference.target is None else names[reference.target],
            addend=reference.addend,
        )
        for reference in references[low:high]
    )
