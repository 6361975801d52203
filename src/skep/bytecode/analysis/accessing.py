"""Loads and stores of one function: what they give, what they change, what they show.

Instruction semantics: RFC 9669, section 5.
"""

from typing import Literal

from skep.bytecode.analysis.assumptions import SHIFTED, Assumptions
from skep.bytecode.analysis.contexts import ContextLayout
from skep.bytecode.analysis.flow_facts import FunctionFacts
from skep.bytecode.analysis.frames import (
    SLOT,
    Dynptr,
    Escapes,
    Parts,
    Stack,
    bytes_of,
    forget_numbers,
    read_part,
    write_part,
)
from skep.bytecode.analysis.values import (
    ANYTHING,
    CONTEXT,
    EVERY_KIND,
    FLOW_KEYS,
    FRAME,
    FUNCTION,
    KERNEL,
    MAP,
    MAP_VALUE,
    MASK64,
    MEMORY,
    OUTER,
    PACKET,
    SOCKET,
    UNKNOWN,
    UNKNOWN32,
    Number,
    Pointer,
    Value,
    names_of,
)
from skep.bytecode.isa.fields import MEM, MEMSX, MODE

DEEPEST = -512  # bytes below r10 that the kernel allows
SIZES = (4, 2, 1, 8)  # by the two size bits of loads and stores
_ZERO_EXTENDED = (UNKNOWN32, Number(0, 0xFFFF, 0xFFFF, 0), Number(0, 0xFF, 0xFF, 0), UNKNOWN)
_WATCHED = PACKET | KERNEL | FLOW_KEYS


class Memory:
    """Memory as one function sees it, with the facts its accesses show.

    Attributes:
        is_open: pointers may have been written anywhere into the frame; true for the block that
            is interpreted.
        lowest: deepest place of the frame that was touched.
    """

    def __init__(
        self,
        layout: ContextLayout,
        assumptions: Assumptions,
        facts: FunctionFacts,
        escapes: Escapes,
    ) -> None:
        self._escapes = escapes
        self.facts = facts
        self.is_open = False
        self.lowest = 0
        self._layout = layout
        self._read_only = assumptions.read_only
        self._constants = assumptions.constants
        self._pointer_maps = assumptions.pointer_maps
        self._texts = assumptions.texts
        self.byteorder: Literal["little", "big"] = assumptions.byteorder

    def load(self, slot: int, opcode: int, base: Value, offset: int, stack: Stack) -> Value:
        """What a load gives."""
        # Where a loader changes the offset, it may change the width, too.
        size_bits = opcode >> 3 & 3 if offset != SHIFTED else 3
        unknown: Value = _ZERO_EXTENDED[size_bits] if opcode & MODE == MEM else UNKNOWN
        if not isinstance(base, Pointer):
            if isinstance(base, Number):
                # The verifier follows no numbers, so here is a pointer nobody saw coming.
                self.facts.reads(slot, _WATCHED, is_certain=False)
                return ANYTHING if size_bits == 3 else unknown
            return unknown
        kinds = base.kinds
        if offset == SHIFTED:
            return self._load_somewhere(slot, base, unknown, is_wide=size_bits == 3)
        if kinds == FRAME:
            return self._load_frame(opcode, base, offset, unknown, stack)
        if kinds == MAP_VALUE:
            return self._load_map_value(opcode, base, offset, unknown)
        if kinds == CONTEXT:
            return self._load_context(slot, base, offset, unknown)
        self._note_load(slot, kinds)
        return self._from_memory(kinds, unknown, is_wide=size_bits == 3)

    def _note_load(self, slot: int, kinds: int) -> None:
        watched = kinds & _WATCHED
        if kinds & MAP:
            watched |= KERNEL  # struct bpf_map itself
        if watched:
            self.facts.reads(slot, watched, is_certain=not kinds & (kinds - 1))

    def _from_memory(self, kinds: int, unknown: Value, *, is_wide: bool) -> Value:
        """What may be stored where a pointer of one of ``kinds`` points to."""
        found = 0
        if kinds & CONTEXT:
            found |= self._behind_context()
        if not is_wide:
            return Pointer(found) if found else unknown
        if kinds & (FRAME | OUTER):
            left = self._escapes.read()
            found |= left.kinds if isinstance(left, Pointer) else 0
        if kinds & KERNEL:
            found |= KERNEL
        if kinds & MEMORY:
            found |= KERNEL | MEMORY
        if kinds & SOCKET:
            found |= SOCKET
        if kinds & MAP_VALUE and self._pointer_maps:
            found |= KERNEL | MEMORY
        return Pointer(found) if found else unknown

    def _behind_context(self) -> int:
        """Kinds of what some field of the context points to."""
        if not self._layout.is_known:
            return EVERY_KIND
        # All that typed contexts hold is the kernel's, whatever the field, or a value of a map.
        kinds = self._layout.pointer_kinds
        return kinds & ~MEMORY if self._layout.is_typed else kinds

    def _load_context(self, slot: int, base: Pointer, offset: int, unknown: Value) -> Value:
        layout = self._layout
        if not layout.is_known:
            return ANYTHING
        if base.offset is None:
            return Pointer(self._behind_context()) if layout.pointer_kinds else unknown
        place = base.offset + offset
        self.facts.context_loads.add((slot, place))
        name = layout.packet_fields.get(place)
        if name is not None:
            return UNKNOWN if name.endswith("data_end") else Pointer(PACKET, 0)
        found = layout.pointers.get(place)
        if found is not None:
            return Pointer(found[0], 0)
        return Pointer(KERNEL, 0) if layout.is_typed else unknown

    def _load_frame(
        self, opcode: int, base: Pointer, offset: int, unknown: Value, stack: Stack
    ) -> Value:
        size = SIZES[opcode >> 3 & 3]
        if base.offset is None:  # one place on each path, and the verifier knows which
            return self._escapes.read() if size == SLOT else unknown
        place = base.offset + offset
        self.lowest = min(self.lowest, place)
        slot = place & ~(SLOT - 1)
        held = stack.get(slot)
        if size == SLOT and place == slot:
            if held is None:
                return self._escapes.read() if self.is_open else unknown
            if not isinstance(held, Parts | Dynptr):
                return held
        if place + size > slot + SLOT:
            return unknown
        if isinstance(held, frozenset):
            return unknown
        found = read_part(held, place - slot, size, self.byteorder) if held is not None else None
        if found is None:
            return unknown
        if opcode & MODE != MEMSX:
            return found
        return UNKNOWN if not isinstance(found, int) else _extended(found, size)

    def _load_somewhere(self, slot: int, base: Pointer, unknown: Value, *, is_wide: bool) -> Value:
        """A load whose offset the loader will change."""
        self._note_load(slot, base.kinds)
        return self._from_memory(base.kinds, unknown, is_wide=is_wide)

    def _load_map_value(self, opcode: int, base: Pointer, offset: int, unknown: Value) -> Value:
        """A load from a map's value: known if that is read-only data of a known value."""
        size = SIZES[opcode >> 3 & 3]
        if size == SLOT and self._may_hold_pointers(base):
            return Pointer(KERNEL | MEMORY)
        if base.offset is None or base.name not in self._read_only:
            return unknown
        self.facts.reads_constants = True
        data = self._constants.get(base.name, b"")
        start = base.offset + offset
        if start < 0 or start + size > len(data):
            return unknown
        is_signed = opcode & MODE == MEMSX
        number = int.from_bytes(data[start : start + size], self.byteorder, signed=is_signed)
        return number & MASK64

    def _may_hold_pointers(self, base: Pointer) -> bool:
        """Whether values of the map may hold pointers (kptrs, nodes of lists and trees)."""
        if not self._pointer_maps:
            return False
        names = names_of(base)
        return not names or not self._pointer_maps.isdisjoint(names)

    def store(
        self, slot: int, size: int, base: Value, offset: int, value: Value, stack: Stack
    ) -> None:
        """What a store changes."""
        if isinstance(value, Pointer) and value.kinds & FUNCTION and value.kinds != EVERY_KIND:
            self.facts.is_resolved = False  # a callback we could lose sight of
        if not isinstance(base, Pointer):
            if isinstance(base, Number):
                self.facts.writes(slot, _WATCHED | MAP_VALUE, is_certain=False)
                self.facts.context_stores.add((slot, None, size))
            return
        kinds = base.kinds
        if isinstance(value, Pointer) and kinds & (FRAME | OUTER):
            self._escapes.note(value.kinds)
        if offset == SHIFTED:
            base, offset = Pointer(kinds), 0
        if kinds & FRAME:
            self._store_frame(size, base, offset, value, stack)
            if kinds == FRAME:
                return
        self.note_store(slot, kinds)
        if kinds & CONTEXT:
            known = base.offset is not None and kinds == CONTEXT and self._layout.is_known
            place = base.offset + offset if known and base.offset is not None else None
            self.facts.context_stores.add((slot, place, size))

    def note_store(self, slot: int, kinds: int) -> None:
        """Note a store through a pointer of one of ``kinds``."""
        watched = kinds & (_WATCHED | MAP_VALUE)
        if watched:
            # Nothing is shown by the stack, so a path that has the other kind is all there is.
            shown = kinds & ~FRAME
            self.facts.writes(slot, watched, is_certain=not shown & (shown - 1))

    def _store_frame(
        self, size: int, base: Pointer, offset: int, value: Value, stack: Stack
    ) -> None:
        if base.offset is None or base.kinds != FRAME:
            if isinstance(value, Pointer):
                self.open(stack)
            else:
                forget_numbers(stack, DEEPEST, 0)
            return
        place = base.offset + offset
        self.lowest = min(self.lowest, place)
        if not DEEPEST <= place < 0:
            return
        if size == SLOT and not place & (SLOT - 1):
            if value != UNKNOWN or self.is_open:
                stack[place] = value
            else:
                stack.pop(place, None)
        else:
            write_part(stack, place, size, value, self.byteorder)

    def open(self, stack: Stack) -> None:
        """Pointers may have been written anywhere into the frame."""
        self.is_open = True
        stack.clear()

    def may_follow(self, value: Value) -> bool:
        """Whether a format string that is not known may follow an address."""
        if not isinstance(value, Pointer) or value.kinds != MAP_VALUE:
            return True
        names = names_of(value)
        return not names or any(self._texts.may_follow(name) for name in names)

    def texts_at(self, value: Value, most: int, stack: Stack) -> list[bytes] | None:
        """Texts a pointer may point to, each up to its zero or ``most``; ``None`` if unknown."""
        if isinstance(value, Pointer) and value.kinds == MAP_VALUE and value.places:
            found = [self._texts.text_at(value.name, each, most) for each in sorted(value.places)]
            return [each for each in found if each is not None] if None not in found else None
        text = self._text_at(value, most, stack)
        return None if text is None else [text]

    def _text_at(self, value: Value, most: int, stack: Stack) -> bytes | None:
        """The one text there may be, ``None`` if unknown."""
        if not isinstance(value, Pointer) or value.offset is None:
            return None
        if value.kinds == MAP_VALUE:
            return self._texts.text_at(value.name, value.offset, most)
        if value.kinds != FRAME or self.is_open:
            return None
        found = bytearray()
        for place in range(value.offset, min(value.offset + most, 0)):
            slot = place & ~(SLOT - 1)
            byte = bytes_of(stack.get(slot), self.byteorder)[place - slot]
            if byte is None:
                return None
            if not byte:
                break
            found.append(byte)
        return bytes(found)


def _extended(number: int, size: int) -> int:
    """Sign extension of a number of ``size`` bytes to 64 bits."""
    top = 1 << (8 * size - 1)
    return (number ^ top) - top & MASK64
