"""From functions to one program: which are needed, where they go, what their references become.

The entry comes first and every needed subprogram once after it. The kernel takes the targets of
calls for the beginnings of functions, and refuses code that nothing reaches, so a subprogram that
nobody needs must not be there; and a jump must not leave its function, because what stands behind
it in the object is not what stands behind it here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from skep.bytecode.isa.codes import (
    CALL,
    GOTOL,
    GOTOX,
    LDDW,
    MOST_INSTRUCTIONS,
    PSEUDO_CALL,
    PSEUDO_FUNCTION,
    PSEUDO_MAP_INDEX,
    PSEUDO_MAP_INDEX_VALUE,
)
from skep.bytecode.isa.fields import JMP, JMP32
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.errors import CannotLink
from skep.bytecode.objectfile.exception_callbacks import throws
from skep.bytecode.objectfile.model import Function, Relocation

_HIGHEST_OFFSET = 1 << 29  # BPF_MAX_VAR_OFF: the verifier refuses addresses beyond

_CALL = 0x8
_EXIT = 0x9
_NO_CALLBACKS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Layout:
    """Functions in the order they are laid out.

    Attributes:
        functions: entry first.
        starts: first slot of each function, by name.
    """

    functions: tuple[Function, ...]
    starts: Mapping[str, int]


def needed_functions(
    entry: str, functions: Mapping[str, Function], callbacks: Mapping[str, str] = _NO_CALLBACKS
) -> tuple[Function, ...]:
    """``entry`` and all it calls or takes the address of, transitively, each once.

    Order is that of first mention, each function's own mentions before what follows it, as libbpf
    has it; so the same object always gives the same program.

    Args:
        callbacks: exception callbacks, by the program they belong to. Nothing mentions them; if
            ``entry`` has one and throws, it comes last with all it mentions.
    """
    names = {entry: None}
    _mention(entry, functions, names)
    callback = callbacks.get(entry)
    is_new = callback is not None and callback in functions and callback not in names
    if callback and is_new and throws(functions[name] for name in names):
        names[callback] = None
        _mention(callback, functions, names)
    return tuple(functions[name] for name in names)


def _mention(entry: str, functions: Mapping[str, Function], names: dict[str, None]) -> None:
    """Add all that ``entry`` mentions to ``names``."""
    waiting = [iter(functions[entry].relocations)]
    while waiting:
        relocation = next(waiting[-1], None)
        if relocation is None:
            waiting.pop()
        elif relocation.kind in ("call", "function_address") and relocation.name not in names:
            names[relocation.name] = None
            waiting.append(iter(functions[relocation.name].relocations))


def lay_out(functions: tuple[Function, ...]) -> Layout:
    """Put ``functions`` one after the other.

    Raises:
        CannotLink: if they are more than a million instructions together, a jump leaves its
            function, or an instruction names by number what only one process or kernel has.
    """
    starts: dict[str, int] = {}
    length = 0
    for function in functions:
        _check(function)
        starts[function.name] = length
        length += len(function.instructions)
    if length > MOST_INSTRUCTIONS:
        raise CannotLink(f"expected at most {MOST_INSTRUCTIONS} instructions, got {length}")
    return Layout(functions, starts)


def resolve(
    layout: Layout,
    map_indexes: Mapping[str, int],
    extern: Callable[[list[Instruction], Relocation], None] | None = None,
) -> tuple[Instruction, ...]:
    """Instructions of the whole program, with calls, functions and maps put in.

    Args:
        extern: puts in what the kernel provides, at a slot of the whole program; ``None`` if
            nothing of it is known.

    Raises:
        CannotLink: for a reference to something that is neither a function nor a map.
    """
    result: list[Instruction] = []
    for function in layout.functions:
        start = len(result)
        result.extend(function.instructions)
        for relocation in function.relocations:
            slot = start + relocation.slot
            match relocation.kind:
                case "call":
                    distance = layout.starts[relocation.name] - slot - 1
                    result[slot] = result[slot]._replace(src=PSEUDO_CALL, immediate=distance)
                case "function_address":
                    distance = layout.starts[relocation.name] - slot - 1
                    _load(result, slot, PSEUDO_FUNCTION, (distance, 0))
                case "map":
                    _load(result, slot, PSEUDO_MAP_INDEX, (map_indexes[relocation.name], 0))
                case "map_value":
                    offset = _checked_offset(function, relocation)
                    index = map_indexes[relocation.name]
                    _load(result, slot, PSEUDO_MAP_INDEX_VALUE, (index, offset))
                case "extern_call" | "extern_address":
                    if extern is None:
                        raise CannotLink(f"{function.name}: {relocation.name} is not in the object")
                    extern(result, replace(relocation, slot=slot))
    return tuple(result)


def _load(result: list[Instruction], slot: int, source: int, halves: tuple[int, int]) -> None:
    destination = result[slot].dst
    result[slot] = Instruction(LDDW, destination, source, 0, halves[0])
    result[slot + 1] = Instruction(0, 0, 0, 0, halves[1])


def _checked_offset(function: Function, relocation: Relocation) -> int:
    if not 0 <= relocation.addend < _HIGHEST_OFFSET:
        raise CannotLink(
            f"{function.name}: expected an address inside {relocation.name}, "
            f"got byte {relocation.addend}"
        )
    return relocation.addend


def _check(function: Function) -> None:
    """Refuse what would mean something else in the plan than it does in the object.

    (1) Jumps stay inside their function.
    (2) Nothing names a descriptor, a map index or a BTF id by number: a descriptor of the process
        that loads the program could be any map on the machine, and no report would show it.
    """
    length = len(function.instructions)
    resolved = {relocation.slot for relocation in function.relocations}
    for slot, (opcode, _dst, source, offset, immediate) in enumerate(function.instructions):
        if opcode in (LDDW, CALL):
            if source and slot not in resolved:  # (2)
                raise CannotLink(
                    f"{function.name}: instruction {slot} names something of one kernel or one "
                    f"process by its number ({immediate})",
                    hint="the object was linked before; use the one that the compiler wrote",
                )
            continue
        if opcode & 7 not in (JMP, JMP32) or opcode >> 4 in (_CALL, _EXIT):
            continue
        if opcode == GOTOX:
            raise CannotLink(f"{function.name}: indirect jumps cannot be linked yet")
        target = slot + 1 + (immediate if opcode == GOTOL else offset)
        if not 0 <= target < length:  # (1)
            raise CannotLink(
                f"{function.name}: instruction {slot} jumps out of its function, to {target}",
                hint="the object was made by hand or damaged; compile it again",
            )
