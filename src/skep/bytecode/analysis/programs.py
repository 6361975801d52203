"""One entry with everything the rules look at: its type, code, calls, data flow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from skep.bytecode.analysis.contexts import ContextLayout
from skep.bytecode.analysis.control_flow import CallGraph, FunctionFlow
from skep.bytecode.analysis.field_names import FieldNames
from skep.bytecode.analysis.flow_facts import FunctionFacts, Key
from skep.bytecode.analysis.values import (
    MASK64,
    REDIRECTED,
    Number,
    Value,
    seen_in,
    signed,
)
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.kernel_functions import KERNEL_FUNCTIONS
from skep.bytecode.objectfile.model import Extern, MapSpec, ObjectFile, ProgramSpec, Relocation


@dataclass(frozen=True, slots=True)
class Call:
    """A reachable call of something that is not the object's own.

    Attributes:
        function: name of the function it is in.
        slot: slot in that function.
        helper: number of the helper, ``None`` if it is none.
        kernel_function: name of the kfunc without flavour, ``None`` if it is none.
        is_weak: the kfunc may be missing.
    """

    function: str
    slot: int
    helper: int | None = None
    kernel_function: str | None = None
    is_weak: bool = False

    @property
    def name(self) -> str:
        """The kernel's name of the called function; ``?`` without one."""
        if self.helper is not None:
            return helper_name(self.helper)
        return self.kernel_function or "?"


class Exit(NamedTuple):
    """One place where a program ends, and what it may end with."""

    function: str
    slot: int
    value: Value


class Ends(NamedTuple):
    """The values of an exit.

    Attributes:
        numbers: signed 32-bit values some path gives.
        redirects: some path gives the result of a redirecting helper.
        low: least of the other values there may be, signed 32-bit; above ``high`` if none.
        high: greatest of them.
    """

    numbers: frozenset[int]
    redirects: bool
    low: int = 1
    high: int = 0

    @property
    def is_open(self) -> bool:
        """There are values besides the numbers."""
        return self.low <= self.high


@dataclass(frozen=True, slots=True)
class AnalysedProgram:
    """An entry, prepared.

    Attributes:
        spec: as the object declares it, with a stated type put in.
        type_source: ``section`` or ``stated``.
        layout: what r1 points to.
        graph: functions it reaches.
        calls: of helpers, kernel functions and what is neither (both ``None``).
        missing: names it calls that nothing can provide.
        facts: what data flow found, by function and arguments; ``None`` if it was not asked.
        entry: key of the entry in ``facts``.
        references: reachable relocations that are not calls, with their function.
        maps: maps of the object by name.
        externs: what the object needs from outside, by name.
        holds_pointers: values of maps may hold pointers to structures of the kernel.
        fields: names of the fields that code accesses, as far as records tell.
        exception_callback: function that makes an exit value of what is thrown, if not the
            kernel's own.
    """

    spec: ProgramSpec
    type_source: str
    layout: ContextLayout
    graph: CallGraph
    calls: tuple[Call, ...]
    missing: tuple[str, ...]
    facts: Mapping[Key, FunctionFacts] | None
    entry: Key | None
    references: tuple[tuple[str, Relocation], ...]
    maps: Mapping[str, MapSpec]
    externs: Mapping[str, Extern]
    fields: FieldNames
    holds_pointers: bool = False
    exception_callback: str | None = None

    @property
    def is_resolved(self) -> bool:
        """Data flow covered everything."""
        return self.facts is not None and all(facts.is_resolved for facts in self.facts.values())

    def function_facts(self) -> list[tuple[str, FunctionFacts]]:
        """(function, facts), one for each tuple of arguments; empty without data flow."""
        if self.facts is None:
            return []
        return [(name, facts) for (name, _), facts in self.facts.items()]

    def exits(self) -> list[Exit] | None:
        """What the program may end with, ``None`` if that is not resolved.

        Nothing, if control reaches no exit: no kernel accepts that.

        A function that throws ends the whole program with the value it throws, or with what the
        program's exception callback makes of it.
        """
        if self.facts is None or self.entry is None:
            return None
        facts = self.facts[self.entry]
        found = [Exit(self.entry[0], slot, value) for slot, value in facts.exits.items()]
        throws = False
        for (name, _), each in self.facts.items():
            throws = throws or bool(each.thrown)
            if self.exception_callback is None:
                found += [Exit(name, slot, value) for slot, value in each.thrown.items()]
            elif name == self.exception_callback:
                found += [Exit(name, slot, value) for slot, value in each.exits.items()]
        is_resolved = self.is_resolved if throws else facts.is_resolved
        return sorted(found, key=lambda each: each[:2]) if is_resolved else None

    def arguments(self, call: Call) -> list[tuple[Value, ...]]:
        """r1 to r5 at ``call``, one for each tuple of arguments its function is called with."""
        return [
            facts.calls[call.slot]
            for name, facts in self.function_facts()
            if name == call.function and call.slot in facts.calls
        ]


_MOST32, _HALF32 = (1 << 32) - 1, 1 << 31


def ends_of(value: Value) -> Ends:
    """An exit value as the kernel sees it: its low 32 bits, signed."""
    seen = seen_in(value)
    numbers = frozenset(signed(each, 32) for each in seen if each <= MASK64)
    others = frozenset(each for each in seen if each > MASK64)
    ends = Ends(numbers, bool(others))
    if isinstance(value, int | frozenset) and others <= {REDIRECTED}:
        return ends
    if isinstance(value, Number) and value.high <= _MOST32 and others <= {REDIRECTED}:
        low, high = value.low, value.high
        if high < _HALF32 or low >= _HALF32:
            return ends._replace(low=signed(low, 32), high=signed(high, 32))
    return ends._replace(low=-_HALF32, high=_HALF32 - 1)


def exit_numbers(value: Value) -> tuple[frozenset[int], bool] | None:
    """Signed 32-bit exit values, and whether a redirect is among them; ``None`` if unknown."""
    ends = ends_of(value)
    return None if ends.is_open else (ends.numbers, ends.redirects)


def calls_of(
    flow: FunctionFlow, externs: Mapping[str, Extern], missing: dict[str, None]
) -> list[Call]:
    """Calls in reachable code that leave the object; what nothing provides goes to ``missing``."""
    name = flow.function.name
    code = flow.function.instructions
    found = []
    for slot in flow.call_slots:
        relocation = flow.relocations.get(slot)
        if relocation is None:
            instruction = code[slot]
            if instruction.src == 0:
                found.append(Call(name, slot, helper=instruction.immediate))
            else:
                found.append(Call(name, slot))
        elif relocation.kind == "extern_call":
            extern = externs.get(relocation.name)
            plain = relocation.name.partition("___")[0]
            if extern is not None and extern.kind != "kfunc" and plain not in KERNEL_FUNCTIONS:
                missing[relocation.name] = None
            else:
                is_weak = extern is not None and extern.is_weak
                found.append(Call(name, slot, kernel_function=plain, is_weak=is_weak))
    return found


def asked_for(programs: Iterable[AnalysedProgram]) -> frozenset[str]:
    """Names of the kernel whose address the programs take, without flavours.

    A weak name that is called without that is needed all the same: where the kernel lacks it, the
    call is poisoned, and the verifier refuses it.
    """
    return frozenset(
        relocation.name.partition("___")[0]
        for program in programs
        for _, relocation in program.references
        if relocation.kind == "extern_address"
    )


def references_of(flow: FunctionFlow) -> list[tuple[str, Relocation]]:
    """Relocations of reachable code that are not calls."""
    name = flow.function.name
    slots = sorted(
        relocation.slot
        for relocation in flow.function.relocations
        if relocation.kind not in {"call", "extern_call"}
    )
    if not slots:
        return []
    blocks = sorted((block.start, block.end) for block in flow.blocks.values())
    found = []
    position = 0
    for slot in slots:
        while position < len(blocks) and blocks[position][1] <= slot:
            position += 1
        if position < len(blocks) and blocks[position][0] <= slot:
            found.append((name, flow.relocations[slot]))
    return found


def externs_of(object_file: ObjectFile) -> dict[str, Extern]:
    """What the object needs from outside, by name."""
    return {extern.name: extern for extern in object_file.extern_details}


def helper_name(number: int) -> str:
    """Kernel name of a helper.

    >>> helper_name(12)
    'bpf_tail_call'
    """
    facts = HELPERS.get(number)
    return facts.name if facts is not None else "unknown"


def kernel_variables(program: AnalysedProgram) -> list[tuple[str, Relocation]]:
    """Reachable references to kernel variables (``.ksyms``), kconfig values left out."""
    found = []
    for function, relocation in program.references:
        if relocation.kind != "extern_address":
            continue
        extern = program.externs.get(relocation.name)
        if extern is None:
            # libbpf allows no other names in .kconfig, and the kernel has no such symbols.
            is_variable = not relocation.name.startswith(("CONFIG_", "LINUX_"))
        else:
            is_variable = extern.kind in {"kernel_variable", "kfunc"}
        if is_variable:
            found.append((function, relocation))
    return found
