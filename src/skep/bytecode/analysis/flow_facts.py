"""What data flow found out about one function, as facts with the slots they come from."""

from dataclasses import dataclass, field

from skep.bytecode.analysis.values import ANYTHING, UNKNOWN, Value, join

Arguments = tuple[Value, ...]
Key = tuple[str, Arguments]


@dataclass(slots=True)
class FunctionFacts:
    """What one function does when called with certain arguments; slots are its own.

    Attributes:
        packet_loads: loads through a pointer that is certainly one into the packet.
        maybe_packet_loads: loads through a pointer that may be one.
        packet_stores: stores, likewise.
        maybe_packet_stores: stores, likewise.
        map_stores: stores to values of maps.
        maybe_map_stores: stores, likewise.
        context_stores: (slot, offset or ``None``, bytes).
        calls: arguments r1 to r5 by slot, of helpers and kernel functions.
        tail_calls: slots of tail calls.
        exits: r0 by slot of ``exit``.
        frame_bytes: depth of its stack.
        callees: what it calls, as keys.
        blocks: first slots of the blocks that values let control reach.
        reads_constants: loads from read-only data at a known place.
        throws: may leave the program with a value of its own (``bpf_throw``).
        is_resolved: no limit was met.
    """

    packet_loads: set[int] = field(default_factory=set)
    maybe_packet_loads: set[int] = field(default_factory=set)
    packet_stores: set[int] = field(default_factory=set)
    maybe_packet_stores: set[int] = field(default_factory=set)
    map_stores: set[int] = field(default_factory=set)
    maybe_map_stores: set[int] = field(default_factory=set)
    context_stores: set[tuple[int, int | None, int]] = field(default_factory=set)
    calls: dict[int, Arguments] = field(default_factory=dict)
    exits: dict[int, Value] = field(default_factory=dict)
    frame_bytes: int = 0
    callees: set[Key] = field(default_factory=set)
    blocks: set[int] = field(default_factory=set)
    reads_constants: bool = False
    throws: bool = False
    is_resolved: bool = True

    def result(self) -> Value:
        """The join of everything it can return."""
        if not self.is_resolved:
            return ANYTHING
        found: Value | None = None
        for value in self.exits.values():
            found = value if found is None else join(found, value)
        return UNKNOWN if found is None else found
