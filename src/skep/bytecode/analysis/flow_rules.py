"""Permissions that need data flow: evidence D of the taxonomy.

Each rule gives ``declared`` where a value shows it, ``possible`` where the value is not known, and
``excluded`` where it is known and does not show it.
"""

from collections.abc import Iterator, Mapping

from skep.bytecode.analysis.contexts import WritableField
from skep.bytecode.analysis.findings import CodeFinding, finding
from skep.bytecode.analysis.memory_rules import UNRESOLVED, memory_findings
from skep.bytecode.analysis.programs import AnalysedProgram, Call, helper_name
from skep.bytecode.analysis.values import (
    MAP,
    MASK32,
    MASK64,
    PACKET,
    Number,
    Pointer,
    Value,
    constants,
    names_of,
    seen_in,
    signed,
)
from skep.bytecode.analysis.verdict_rules import verdict_findings
from skep.bytecode.isa.codes import REDIRECT_MAP
from skep.bytecode.objectfile.model import MapSpec

_XSKMAP = 17

# Packet bytes appended to a record: bits 32-51 of the flags in r3.
_OUTPUTS = frozenset({25, 111, 121})
_APPENDED = 0xFFFFF << 32
# Which argument of a helper goes to an application as it is.
_EXPORTED: Mapping[int | None, int] = {25: 3, 111: 3, 121: 3, 127: 1, 130: 1}
# bpf_skb_adjust_room, flags in r4: encapsulation bits 1-4 and 6, length of layer 2 in bits 56-63.
_ADJUST_ROOM = 50
_ENCAPSULATES = 0x5E | 0xFF << 56
_CHANGE_TYPE = 32
_SOCKET_REDIRECTS = frozenset({52, 60, 71, 72})
_OTHER_HOST = 3  # PACKET_OTHERHOST
_ADJUST_HEAD = 44
_STORE_BYTES = 190  # xdp_store_bytes
_DEVICE_MAPS = frozenset({14, 25})  # DEVMAP, DEVMAP_HASH
_BROADCAST = 8  # BPF_F_BROADCAST
_CHANGES_MAP = frozenset({2, 3})  # map_update_elem, map_delete_elem
_SOCKET_MAPS = frozenset({15, 18})  # SOCKMAP, SOCKHASH
_MAPS_OF_MAPS = frozenset({12, 13})

_RANK = {"excluded": 0, "possible": 1, "declared": 2}


def flow_findings(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """Evidence D of one program."""
    yield from verdict_findings(program)
    yield from memory_findings(program)
    yield from _context(program)
    for call in program.calls:
        yield from _arguments(program, call)
    yield from _registers(program)
    yield from _symbols(program)
    yield from _encapsulating(program)
    yield from _loops(program)
    yield from _replaceable(program)


def _registers(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """A probe that changes registers takes the application elsewhere (uprobes, later kernels)."""
    if program.spec.program_type != "KPROBE":
        return
    for function, facts in program.function_facts():
        for slot in sorted({slot for slot, _, _ in facts.context_stores}):
            what = "changes registers where it hooks in"
            yield finding(program, "user.write_memory", "D", what, at=(function, slot))


def _context(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """Stores to fields of the context."""
    fields = program.layout.writable
    shown: set[str] = set()
    for function, facts in program.function_facts():
        for slot, offset, size in sorted(facts.context_stores, key=str):
            for field in fields:
                if offset is not None and not (field.start < offset + size and offset < field.end):
                    continue
                shown.add(field.permission)
                yield _context_finding(
                    program, field, function, slot, is_certain=offset is not None
                )
    for permission in {field.permission for field in fields} - shown:
        if program.is_resolved:
            what = "no store to such a field of the context"
            yield finding(program, permission, "D", what, confidence="excluded")
        else:
            what = f"stores to the context: {UNRESOLVED}"
            yield finding(program, permission, "D", what, confidence="possible")


def _context_finding(
    program: AnalysedProgram, field: WritableField, function: str, slot: int, *, is_certain: bool
) -> CodeFinding:
    name = f"{program.layout.name}.{field.name}"
    return finding(
        program,
        field.permission,
        "D",
        f"store to {name}" if is_certain else f"store to the context, perhaps {name}",
        confidence="declared" if is_certain else "possible",
        at=(function, slot),
        severity=field.severity,
    )


def _arguments(program: AnalysedProgram, call: Call) -> Iterator[CodeFinding]:
    """Helper arguments that matter."""
    number = call.helper
    arguments = program.arguments(call)
    if program.facts is not None and not arguments and program.is_resolved:
        return  # data flow showed that it is never reached
    if number == REDIRECT_MAP:
        yield from _strongest(program, call, "net.to_userspace", _into_xskmap(program, arguments))
        yield from _strongest(program, call, "net.mirror", _broadcast(program, arguments))
    elif number in _SOCKET_REDIRECTS:
        what = "a redirect that can fail, which drops the data"
        yield finding(program, "net.drop", "D", what, confidence="possible", at=call)
    elif number == _CHANGE_TYPE:
        yield from _strongest(program, call, "net.drop", _change_type(arguments))
    elif number in _OUTPUTS and (number != 25 or program.layout.has_packet):
        outcome = _flag(arguments, 2, _APPENDED, "appends packet bytes")
        yield from _strongest(program, call, "net.to_userspace", outcome)
    elif number in _CHANGES_MAP:
        yield from _sockets_in_maps(program, call, arguments)
    if number in _EXPORTED:
        outcome = _hands_over(arguments, _EXPORTED[number])
        yield from _strongest(program, call, "net.to_userspace", outcome)
    if number == _ADJUST_ROOM:
        outcome = _flag(arguments, 3, _ENCAPSULATES, "encapsulates")
        yield from _strongest(program, call, "net.encap", outcome)
    elif number == 164:
        yield finding(program, "exec.unbounded", "D", helper_name(164), at=call)


def _hands_over(arguments: list[tuple[Value, ...]], index: int) -> list[tuple[str, str]]:
    """Whether an argument is a pointer into the packet."""
    kinds = {
        value.kinds
        for given in arguments
        if isinstance(value := given[index], Pointer) and value.kinds & PACKET
    }
    what = "outputs packet memory"
    return [("declared" if each == PACKET else "possible", what) for each in kinds]


def _sockets_in_maps(
    program: AnalysedProgram, call: Call, arguments: list[tuple[Value, ...]]
) -> Iterator[CodeFinding]:
    """A map of sockets decides where the data of the sockets in it goes."""
    name = helper_name(call.helper or 0)
    for given in arguments:
        specs = _maps(program, given[0])
        sockets = [spec.name for spec in specs if spec.map_type in _SOCKET_MAPS]
        if sockets:
            what = f"{name} on the sockets of {', '.join(sockets)}"
            yield finding(program, "net.steer", "D", what, at=call)
        elif not specs and any(map(_may_hold_sockets, program.maps.values())):
            what = f"{name} on a map {UNRESOLVED}"
            yield finding(program, "net.steer", "D", what, confidence="possible", at=call)


def _may_hold_sockets(spec: MapSpec) -> bool:
    if spec.map_type in _MAPS_OF_MAPS:
        return spec.inner is None or spec.inner.map_type in _SOCKET_MAPS
    return spec.map_type in _SOCKET_MAPS


def _into_xskmap(
    program: AnalysedProgram, arguments: list[tuple[Value, ...]]
) -> list[tuple[str, str]]:
    found = []
    for given in arguments:
        specs = _maps(program, given[0])
        sockets = [spec.name for spec in specs if spec.map_type == _XSKMAP]
        if not specs:
            found.append(("possible", f"redirect to a map {UNRESOLVED}"))
        elif sockets:
            found.append(("declared", f"redirect to XSKMAP {', '.join(sockets)}"))
        else:
            names = ", ".join(spec.name for spec in specs)
            found.append(("excluded", f"map {names} is not an XSKMAP"))
    return found or [("possible", f"redirect to a map {UNRESOLVED}")]


def _maps(program: AnalysedProgram, target: Value) -> list[MapSpec]:
    """Maps an argument may be; none if that is not known."""
    if not isinstance(target, Pointer) or target.kinds != MAP:
        return []
    specs = [program.maps.get(name) for name in names_of(target)]
    return [spec for spec in specs if spec is not None] if None not in specs else []


def _broadcast(
    program: AnalysedProgram, arguments: list[tuple[Value, ...]]
) -> list[tuple[str, str]]:
    """A redirect that sends a copy to every interface of a map (since Linux 5.13)."""
    found = []
    for given in arguments:
        specs = _maps(program, given[0])
        if specs and not any(spec.map_type in _DEVICE_MAPS for spec in specs):
            found.append(("excluded", "the map holds no interfaces"))
        else:
            found += _flag([given], 2, _BROADCAST, "sends a copy to every interface of a map")
    return found or [("possible", f"redirect to a map {UNRESOLVED}")]


def _flag(
    arguments: list[tuple[Value, ...]], index: int, mask: int, what: str
) -> list[tuple[str, str]]:
    found = []
    for given in arguments:
        value = given[index]
        numbers = constants(value)
        if any(number & mask for number in seen_in(value) if number <= MASK64):
            found.append(("declared", what))
        elif numbers is not None or not _may_have(value, mask):
            found.append(("excluded", f"no flag that {what}"))
        elif isinstance(value, Number) and (value.bits & mask or not value.free & MASK32):
            # The lower half is fixed, so the rest was computed to be put above it.
            found.append(("declared", f"{what}: flags computed by the program"))
        else:
            found.append(("possible", f"{what}: flags {UNRESOLVED}"))
    return found or [("possible", f"{what}: flags {UNRESOLVED}")]


def _may_have(value: Value, mask: int) -> bool:
    return not isinstance(value, Number) or bool((value.free | value.bits) & mask)


def _change_type(arguments: list[tuple[Value, ...]]) -> list[tuple[str, str]]:
    """A packet that is said to be for another host is dropped by the stack."""
    found = []
    for given in arguments:
        numbers = constants(given[1])
        if numbers is None:
            found.append(("possible", f"new type of the packet {UNRESOLVED}"))
        elif any(each & MASK32 == _OTHER_HOST for each in numbers):
            found.append(("declared", "marks the packet as for another host, which drops it"))
        else:
            found.append(("excluded", "the packet is not marked as for another host"))
    return found or [("possible", f"new type of the packet {UNRESOLVED}")]


def _encapsulating(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """XDP has no helper for tunnels: room is made in front of the packet and written to."""
    moved = [call for call in program.calls if call.helper == _ADJUST_HEAD]
    stores = any(call.helper == _STORE_BYTES for call in program.calls) or any(
        (kinds | maybe) & PACKET
        for _, facts in program.function_facts()
        for kinds, maybe in [(_all(facts.stores), _all(facts.maybe_stores))]
    )
    if not moved or not (stores or not program.is_resolved):
        return
    for call in moved:
        outcome = _moves_head(program.arguments(call))
        yield from _strongest(program, call, "net.encap", outcome)


def _all(kinds: Mapping[int, int]) -> int:
    found = 0
    for each in kinds.values():
        found |= each
    return found


def _moves_head(arguments: list[tuple[Value, ...]]) -> list[tuple[str, str]]:
    what = "makes room in front of the packet and writes to it"
    found = []
    for given in arguments:
        distances = constants(given[1])
        if distances is None:
            found.append(("possible", f"{what}: distance {UNRESOLVED}"))
        elif any(signed(distance, 32) < 0 for distance in distances):
            found.append(("declared", what))
        else:
            found.append(("excluded", "makes no room in front of the packet"))
    return found or [("possible", f"{what}: distance {UNRESOLVED}")]


def _replaceable(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """Global functions can be replaced one by one while the program runs (freplace)."""
    for flow in program.graph.functions[1:]:
        function = flow.function
        if function.type_id and not (function.is_static or function.is_hidden):
            name = flow.function.name
            what = f"global function {name}"
            yield finding(program, "exec.replaceable", "D", what, at=(name, 0))


def _strongest(
    program: AnalysedProgram, call: Call, permission: str, outcomes: list[tuple[str, str]]
) -> Iterator[CodeFinding]:
    if outcomes:
        confidence, what = max(outcomes, key=lambda outcome: _RANK[outcome[0]])
        yield finding(program, permission, "D", what, confidence=confidence, at=call)


def _symbols(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """Formats that turn addresses into names of kernel symbols tell where those are."""
    what = "prints names of kernel symbols"
    for function, facts in program.function_facts():
        for slot, is_certain in sorted(facts.symbols.items()):
            yield finding(
                program,
                "kernel.kallsyms",
                "D",
                what if is_certain else f"{what}: format {UNRESOLVED}",
                confidence="declared" if is_certain else "possible",
                at=(function, slot),
            )


def _loops(program: AnalysedProgram) -> Iterator[CodeFinding]:
    for flow in program.graph.functions:
        for source, _ in flow.back_edges:
            what = "loop"
            name = flow.function.name
            yield finding(program, "exec.unbounded", "D", what, at=(name, source))
    for call in program.calls:
        name = call.kernel_function or ""
        if name.startswith("bpf_iter_") and name.endswith("_new"):
            yield finding(program, "exec.unbounded", "D", f"iterator {name}", at=call)
