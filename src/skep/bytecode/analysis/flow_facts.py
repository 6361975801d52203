"""What data flow found out about one function, as facts with the slots they come from."""

from dataclasses import dataclass, field

from skep.bytecode.analysis.values import ANYTHING, Value, join

Arguments = tuple[Value, ...]
Key = tuple[str, Arguments]


@dataclass(slots=True)
class FunctionFacts:
    """What one function does when called with certain arguments; slots are its own.

    Kinds are the bits of :mod:`skep.bytecode.analysis.values`.

    Attributes:
        loads: by slot, kinds of memory that are certainly read there, by the instruction or by
            what it calls.
        maybe_loads: kinds that may be read there.
        stores: kinds that are certainly written, likewise.
        maybe_stores: kinds that may be written.
        dynptr_loads: calls that read through a dynptr nobody saw being made.
        dynptr_stores: calls that write through one.
        dynptr_kinds: kinds of memory the dynptrs made here stand for.
        context_loads: (slot, offset) of loads from a known place of the context.
        context_stores: (slot, offset or ``None``, bytes).
        calls: arguments r1 to r5 by slot, of helpers and kernel functions.
        exits: r0 by slot of ``exit``.
        thrown: values by slot of ``bpf_throw``; they end the whole program.
        frame_bytes: depth of its stack.
        callees: what it calls, as keys.
        later: callbacks that timers and work queues call after it, with their arguments.
        blocks: first slots of the blocks that values let control reach.
        reads_constants: loads from read-only data at a known place.
        stopped: calls behind which nothing ran: poisoned ones, and those of functions that never
            return.
        passed: calls of local functions that returned, with the same or other arguments.
        symbols: calls that print names of kernel symbols; whether that is certain.
        hands_over: there is a tail call: what runs instead returns to the caller of this function.
        is_resolved: no limit was met.
    """

    loads: dict[int, int] = field(default_factory=dict)
    maybe_loads: dict[int, int] = field(default_factory=dict)
    stores: dict[int, int] = field(default_factory=dict)
    maybe_stores: dict[int, int] = field(default_factory=dict)
    dynptr_loads: set[int] = field(default_factory=set)
    dynptr_stores: set[int] = field(default_factory=set)
    dynptr_kinds: int = 0
    context_loads: set[tuple[int, int]] = field(default_factory=set)
    context_stores: set[tuple[int, int | None, int]] = field(default_factory=set)
    calls: dict[int, Arguments] = field(default_factory=dict)
    exits: dict[int, Value] = field(default_factory=dict)
    thrown: dict[int, Value] = field(default_factory=dict)
    frame_bytes: int = 0
    # In the order they are met: the order of a set of texts differs between processes, and with it
    # that of the evidence in a report, hence the digest of a package.
    callees: dict[Key, None] = field(default_factory=dict)
    later: dict[Key, None] = field(default_factory=dict)
    blocks: set[int] = field(default_factory=set)
    reads_constants: bool = False
    stopped: set[int] = field(default_factory=set)
    passed: set[int] = field(default_factory=set)
    symbols: dict[int, bool] = field(default_factory=dict)
    hands_over: bool = False
    is_resolved: bool = True

    def reads(self, slot: int, kinds: int, *, is_certain: bool) -> None:
        """Note that memory of ``kinds`` is read at ``slot``."""
        found = self.loads if is_certain else self.maybe_loads
        found[slot] = found.get(slot, 0) | kinds

    def writes(self, slot: int, kinds: int, *, is_certain: bool) -> None:
        """Note that memory of ``kinds`` is written at ``slot``."""
        found = self.stores if is_certain else self.maybe_stores
        found[slot] = found.get(slot, 0) | kinds

    def result(self) -> Value | None:
        """The join of everything it can return, ``None`` if it never does."""
        if not self.is_resolved:
            return ANYTHING
        found: Value | None = None
        for value in self.exits.values():
            found = value if found is None else join(found, value)
        return found
