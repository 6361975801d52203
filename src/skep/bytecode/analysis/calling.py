"""Calls that leave the object: what they read and write for each argument, and what they give.

What an argument is, :mod:`skep.bytecode.isa.call_arguments` says; what it holds, data flow does.
A call nobody classified may read and write through everything it is given.
"""

from collections.abc import Mapping, Sequence

from skep.bytecode.analysis.accessing import DEEPEST, Memory
from skep.bytecode.analysis.effects import redirect_result, result_of
from skep.bytecode.analysis.flow_facts import Arguments, FunctionFacts
from skep.bytecode.analysis.formats import Reads, parse_format
from skep.bytecode.analysis.frames import SLOT, Dynptr, Parts, Stack, forget_numbers
from skep.bytecode.analysis.values import (
    ANYTHING,
    CONTEXT,
    DYNPTR,
    EVERY_KIND,
    FILE,
    FRAME,
    KERNEL,
    MAP,
    MAP_VALUE,
    MEMORY,
    OUTER,
    PACKET,
    SOCKET,
    USER,
    Number,
    Pointer,
    Value,
    constants,
    names_of,
)
from skep.bytecode.isa.call_arguments import (
    HELPER_ARGUMENTS,
    KERNEL_FUNCTION_ARGUMENTS,
    CallArguments,
)
from skep.bytecode.objectfile.model import MapSpec

UNCLASSIFIED = CallArguments(("read_write",) * 5, "anything")
_FROM_MEMORY = 197  # dynptr_from_mem: stands for r1
_DYNPTR_SOURCES: Mapping[str, int] = {
    "bpf_dynptr_from_skb": PACKET,
    "bpf_dynptr_from_xdp": PACKET,
    "bpf_dynptr_from_skb_meta": PACKET,
    "bpf_dynptr_from_file": FILE,
}
_RESERVES = 198
# What is not in one piece is copied into the buffer, r3, and the result points there.
_MAY_GIVE_BUFFER = frozenset({"bpf_dynptr_slice_rdwr"})
_TRACE_PRINTK = 6

_OWN = FRAME | OUTER | MAP_VALUE | MEMORY  # what a program may read anyway
_READS = frozenset({"read", "read_write", "constant_string", "format", "format_arguments"})
_WRITES = frozenset({"write", "read_write"})
_OBJECTS = CONTEXT | MAP | SOCKET
_MOST_FORMAT = 4096  # bytes
_STACK = 512  # bytes below r10
_HEADERS = 128  # bytes from the start of a packet that are in its buffer, checked or not
_SIGNED_LIMIT = 1 << 31
_PAGE = 4096  # records and allocated objects of more are rare


def arguments_of(helper: int | None, name: str) -> CallArguments:
    """Roles of a call's arguments; for a call in no table, the widest roles."""
    if helper is not None:
        return HELPER_ARGUMENTS.get(helper, UNCLASSIFIED)
    return KERNEL_FUNCTION_ARGUMENTS.get(name, UNCLASSIFIED)


class Calls:
    """Effects of the calls of one function."""

    def __init__(
        self, memory: Memory, facts: FunctionFacts, maps: Mapping[str, MapSpec], *, is_xdp: bool
    ) -> None:
        self._memory = memory
        self._facts = facts
        self._maps = maps
        self._is_xdp = is_xdp

    def call(
        self, slot: int, helper: int | None, name: str, arguments: Arguments, stack: Stack
    ) -> Value:
        """Effects of a call, and its result.

        Args:
            helper: number; ``None`` for a kernel function.
            name: of the kernel function, empty if only its number on one kernel is known.
        """
        roles = arguments_of(helper, name)
        for index, role in enumerate(roles.arguments):
            self._argument(slot, index, role, roles.arguments, arguments, stack)
        self._format(slot, helper, roles.arguments, arguments, stack)
        for index, role in enumerate(roles.arguments):
            if role == "dynptr_new":
                self._make_dynptr(helper, name, arguments, index, stack)
        if roles.result == "anything":
            return ANYTHING
        if roles.result == "dynptr_memory":
            kinds = self._dynptr_kinds(arguments[0], stack)
            if kinds is not None and name in _MAY_GIVE_BUFFER:
                kinds |= _kinds(arguments[2])
            return Pointer(EVERY_KIND if kinds is None else kinds)
        redirected = None
        if helper is not None:
            redirected = redirect_result(helper, arguments, is_xdp=self._is_xdp)
        return result_of(roles.result, arguments, self._maps) if redirected is None else redirected

    def _argument(
        self,
        slot: int,
        index: int,
        role: str,
        roles: Sequence[str],
        arguments: Arguments,
        stack: Stack,
    ) -> None:
        value = arguments[index]
        if role in _READS:
            self._read(slot, value)
        if role in _WRITES:
            self._write(slot, value, _size(index, roles, arguments), stack)
        elif role in {"kernel_address", "user_address"}:
            self._read_address(slot, value, KERNEL if role == "kernel_address" else USER)
        elif role == "user_address_write":
            self._facts.writes(slot, USER, is_certain=True)
        elif role == "special":
            self._memory.note_store(slot, _kinds(value) & MAP_VALUE)
        elif role in {"dynptr_read", "dynptr_write"}:
            self._dynptr(slot, value, stack, writes=role == "dynptr_write")
        elif role == "iterator":
            self._write(slot, value, None, stack)

    def _read(self, slot: int, value: Value) -> None:
        kinds = _kinds(value) & ~_OBJECTS
        watched = kinds & (PACKET | KERNEL)
        if watched:
            self._facts.reads(slot, watched, is_certain=kinds == watched)

    def _write(self, slot: int, value: Value, size: int | None, stack: Stack) -> None:
        if not isinstance(value, Pointer):
            return
        # The verifier takes no structure of the kernel for memory that is written.
        self._memory.note_store(slot, value.kinds & ~_OBJECTS & ~KERNEL)
        if value.kinds & FRAME:
            if value.offset is None:
                forget_numbers(stack, DEEPEST, 0)
            else:
                end = 0 if size is None else value.offset + size
                forget_numbers(stack, value.offset, end)

    def _read_address(self, slot: int, value: Value, kind: int) -> None:
        """A read at an address nobody checks: what is known to be the program's own is that."""
        if self._is_own(value):
            self._read(slot, value)  # of these, reading packets is shown
            return
        if isinstance(value, int) and not value:
            return
        is_certain = not isinstance(value, Pointer) or bool(value.kinds & ~(_OWN | PACKET))
        self._facts.reads(slot, kind, is_certain=is_certain)
        self._read(slot, value)

    def _is_own(self, value: Value) -> bool:
        """Whether an address is certainly one inside of the program's memory.

        Nobody checks how far a pointer was moved that is only given away as a number.
        """
        if not isinstance(value, Pointer) or value.or_number:
            return False
        places = value.places if value.offset is None else {value.offset}
        if value.kinds == FRAME:
            least, end = -_STACK, 0
        elif value.kinds == MAP_VALUE:
            sizes = [self._value_size(name) for name in names_of(value)]
            least, end = 0, min(sizes, default=0)
        elif value.kinds == MEMORY:
            least, end = 0, _PAGE
        elif value.kinds == PACKET:
            least, end = 0, _HEADERS
        else:  # of other memory the size is not known
            least, end = 0, int(value.kinds == OUTER)
        return bool(places) and all(least <= place < end for place in places)

    def _value_size(self, name: str) -> int:
        spec = self._maps.get(name)
        return 0 if spec is None else spec.value_size

    def _dynptr(self, slot: int, value: Value, stack: Stack, *, writes: bool) -> None:
        kinds = self._dynptr_kinds(value, stack)
        if kinds is None:
            found = self._facts.dynptr_stores if writes else self._facts.dynptr_loads
            found.add(slot)
        elif writes:
            self._memory.note_store(slot, kinds)
        else:
            self._facts.reads(slot, kinds, is_certain=not kinds & (kinds - 1))

    def _dynptr_kinds(self, value: Value, stack: Stack) -> int | None:
        """What a dynptr stands for; ``None`` if nobody saw it being made."""
        if not isinstance(value, Pointer):
            return 0  # no dynptr: optional ones may be left out
        if value.kinds == DYNPTR:
            return MEMORY
        if value.kinds != FRAME or value.offset is None:
            return None
        held = stack.get(value.offset & ~(SLOT - 1))
        return held.kinds if isinstance(held, Dynptr) else None

    def _make_dynptr(
        self, helper: int | None, name: str, arguments: Arguments, index: int, stack: Stack
    ) -> None:
        if helper == _FROM_MEMORY:
            kinds = _kinds(arguments[0])
        elif helper == _RESERVES:
            kinds = MEMORY
        elif name == "bpf_dynptr_clone":
            cloned = self._dynptr_kinds(arguments[0], stack)
            kinds = EVERY_KIND if cloned is None else cloned
        else:
            kinds = _DYNPTR_SOURCES.get(name, EVERY_KIND)
        self._facts.dynptr_kinds |= kinds
        target = arguments[index]
        if isinstance(target, Pointer) and target.kinds == FRAME and target.offset is not None:
            place = target.offset & ~(SLOT - 1)
            stack[place] = Dynptr(kinds)
            stack.pop(place + SLOT, None)

    def _format(
        self,
        slot: int,
        helper: int | None,
        roles: Sequence[str],
        arguments: Arguments,
        stack: Stack,
    ) -> None:
        if "format" not in roles:
            return
        index = roles.index("format")
        most = _size(index, roles, arguments)
        texts = self._memory.texts_at(arguments[index], most or _MOST_FORMAT, stack)
        formats = [parse_format(text) for text in texts or ()]
        if not formats or None in formats:
            if self._memory.may_follow(arguments[index]):
                self._facts.reads(slot, KERNEL | USER, is_certain=False)
                self._facts.symbols.setdefault(slot, False)
            return
        if any(known is not None and known.names_symbols for known in formats):
            self._facts.symbols[slot] = True
        values = self._format_values(helper, roles, arguments, stack)
        for known in formats:
            for place, reads in enumerate(known.reads if known is not None else ()):
                if reads:
                    self._follow(slot, reads, values[place] if place < len(values) else None)

    def _follow(self, slot: int, reads: Reads, value: Value | None) -> None:
        """A conversion that reads at an address."""
        if value is not None and self._is_own(value):
            self._read(slot, value)
            return
        is_certain = True
        if isinstance(value, Pointer) and not value.kinds & ~(_OWN | PACKET | KERNEL):
            self._read(slot, value)
            if value.kinds == KERNEL and not value.or_number:
                return
            is_certain = False
        if reads == "user":
            self._facts.reads(slot, USER, is_certain=is_certain)
        else:
            self._facts.reads(slot, KERNEL, is_certain=is_certain)
            if reads == "both":
                self._facts.reads(slot, USER, is_certain=False)

    def _format_values(
        self, helper: int | None, roles: Sequence[str], arguments: Arguments, stack: Stack
    ) -> list[Value | None]:
        """What a format's conversions are about: registers, or an array on the stack."""
        if helper == _TRACE_PRINTK:
            return list(arguments[2:])
        if "format_arguments" not in roles:
            return []
        array = arguments[roles.index("format_arguments")]
        if not isinstance(array, Pointer) or array.kinds != FRAME or array.offset is None:
            return []
        if self._memory.is_open:
            return []
        found: list[Value | None] = []
        for place in range(array.offset, 0, SLOT):
            held = stack.get(place)
            found.append(None if isinstance(held, Parts | Dynptr) else held)
        return found


def _kinds(value: Value) -> int:
    return value.kinds if isinstance(value, Pointer) else 0


def _size(index: int, roles: Sequence[str], arguments: Arguments) -> int | None:
    """Bytes the argument before a ``size`` has, ``None`` if they are not known."""
    if index + 1 >= len(roles) or roles[index + 1] != "size":
        return None
    size = arguments[index + 1]
    numbers = constants(size)
    if numbers is not None:
        most = max(numbers)
    elif isinstance(size, Number):
        most = size.high
    else:
        return None
    return most if most < _SIGNED_LIMIT else None
