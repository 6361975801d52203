"""Permissions that need data flow: evidence D of the taxonomy.

Each rule gives ``declared`` where a value shows it, ``possible`` where the value is not known, and
``excluded`` where it is known and does not show it.
"""

from collections.abc import Iterator

from skep.bytecode.analysis.contexts import WritableField
from skep.bytecode.analysis.effects import REDIRECT_MAP
from skep.bytecode.analysis.exit_values import ExitRule, exit_rules
from skep.bytecode.analysis.findings import Finding, finding
from skep.bytecode.analysis.flow_facts import FunctionFacts
from skep.bytecode.analysis.programs import Call, Program, exit_numbers, helper_name
from skep.bytecode.analysis.values import (
    EVERY_KIND,
    FRAME,
    MAP,
    PACKET,
    Pointer,
    Value,
    constants,
)

_XSKMAP = 17
_UNRESOLVED = "not resolved by data flow"

# Packet bytes appended to a record: bits 32-51 of the flags in r3.
_OUTPUTS = frozenset({25, 111, 121})
_APPENDED = 0xFFFFF << 32
# bpf_skb_adjust_room, flags in r4: encapsulation bits 1-4 and 6, length of layer 2 in bits 56-63.
_ADJUST_ROOM = 50
_ENCAPSULATES = 0x5E | 0xFF << 56
_SET_RETVAL = 187

# Arguments (0 is r1) through which a helper reads memory that may be the packet.
_READS_THROUGH: dict[int, tuple[int, ...]] = {
    1: (1,),
    2: (1, 2),
    3: (1,),
    9: (2,),
    25: (3,),
    28: (0, 2),
    87: (1,),
    111: (3,),
    121: (3,),
    127: (1,),
    130: (1,),
    182: (0, 2),
    190: (2,),
    195: (1,),
    202: (2,),
}
_WRITES_THROUGH: dict[int, tuple[int, ...]] = {88: (1,), 89: (1,), 201: (0,)}

_PACKET_DYNPTRS = frozenset(
    {"bpf_dynptr_from_skb", "bpf_dynptr_from_xdp", "bpf_dynptr_from_skb_meta"}
)
_DYNPTR_WRITE = 202
_WRITES_DYNPTR = ("bpf_dynptr_copy", "bpf_dynptr_memset")
_FILLS_DYNPTR = ("bpf_probe_read_", "bpf_copy_from_user_")

_RANK = {"excluded": 0, "possible": 1, "declared": 2}


def flow_findings(program: Program) -> Iterator[Finding]:
    """Evidence D of one program."""
    yield from _exits(program)
    yield from _memory(program)
    yield from _context(program)
    for call in program.calls:
        yield from _arguments(program, call)
    yield from _dynptrs(program)
    yield from _loops(program)


def _exits(program: Program) -> Iterator[Finding]:
    spec = program.spec
    exits = program.exits()
    for rule in exit_rules(spec.program_type, spec.attach_type):
        if exits is None:
            what = f"exit value {_UNRESOLVED}"
            yield finding(program, rule.permission, "D", what, confidence="possible")
            continue
        shown = False
        for slot, value in exits:
            confidence, what = _exit(rule, value)
            if confidence != "excluded":
                shown = True
                yield finding(
                    program,
                    rule.permission,
                    "D",
                    what,
                    confidence=confidence,
                    function=spec.name,
                    slot=slot,
                )
        if not shown:
            what = "no such exit value"
            yield finding(program, rule.permission, "D", what, confidence="excluded")


def _exit(rule: ExitRule, value: Value) -> tuple[str, str]:
    known = exit_numbers(value)
    if known is None:
        return "possible", f"exit value {_UNRESOLVED}"
    numbers, redirected = known
    showing = sorted(number for number in numbers if rule.shows(number))
    if rule.always:
        return "possible", "exit value of a function that replaces another"
    if showing:
        return "declared", f"exit value {', '.join(map(str, showing))}"
    if redirected and rule.by_redirect:
        return "declared", "exit value of a redirecting helper"
    return "excluded", ""


def _memory(program: Program) -> Iterator[Finding]:
    """Loads and stores through pointers into the packet and into values of maps."""
    for flow in program.graph.functions:
        for slot in flow.packet_load_slots:
            name = flow.function.name
            yield finding(program, "net.read", "E", "LD_ABS or LD_IND", function=name, slot=slot)
    has_packet = program.layout.has_packet
    facts = program.function_facts()
    rules = [
        ("data.state", "store to a map value", _map_stores, _maybe_map_stores),
    ]
    if has_packet:
        rules.append(("net.read", "load from the packet", _packet_loads, _maybe_packet_loads))
        rules.append(("net.modify", "store to the packet", _packet_stores, _maybe_packet_stores))
    for permission, what, certain, maybe in rules:
        shown = False
        for confidence, slots_of in (("declared", certain), ("possible", maybe)):
            for function, each in facts:
                for slot in sorted(slots_of(each)):
                    shown = True
                    yield finding(
                        program,
                        permission,
                        "D",
                        what if confidence == "declared" else f"{what}: pointer {_UNRESOLVED}",
                        confidence=confidence,
                        function=function,
                        slot=slot,
                    )
        if not shown:
            confidence = "excluded" if program.is_resolved else "possible"
            note = f"no {what}" if program.is_resolved else f"{what}: {_UNRESOLVED}"
            yield finding(program, permission, "D", note, confidence=confidence)


def _packet_loads(facts: FunctionFacts) -> set[int]:
    return facts.packet_loads


def _maybe_packet_loads(facts: FunctionFacts) -> set[int]:
    return facts.maybe_packet_loads - facts.packet_loads


def _packet_stores(facts: FunctionFacts) -> set[int]:
    return facts.packet_stores


def _maybe_packet_stores(facts: FunctionFacts) -> set[int]:
    return facts.maybe_packet_stores - facts.packet_stores


def _map_stores(facts: FunctionFacts) -> set[int]:
    return facts.map_stores


def _maybe_map_stores(facts: FunctionFacts) -> set[int]:
    return facts.maybe_map_stores - facts.map_stores


def _context(program: Program) -> Iterator[Finding]:
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
            what = f"stores to the context: {_UNRESOLVED}"
            yield finding(program, permission, "D", what, confidence="possible")


def _context_finding(
    program: Program, field: WritableField, function: str, slot: int, *, is_certain: bool
) -> Finding:
    name = f"{program.layout.name}.{field.name}"
    return finding(
        program,
        field.permission,
        "D",
        f"store to {name}" if is_certain else f"store to the context, perhaps {name}",
        confidence="declared" if is_certain else "possible",
        function=function,
        slot=slot,
        severity=field.severity,
    )


def _arguments(program: Program, call: Call) -> Iterator[Finding]:
    """Helper arguments that matter."""
    number = call.helper
    arguments = program.arguments(call)
    if program.facts is not None and not arguments and program.is_resolved:
        return  # data flow showed that it is never reached
    if number == REDIRECT_MAP:
        yield from _strongest(program, call, "net.to_userspace", _into_xskmap(program, arguments))
    elif number in _OUTPUTS and (number != 25 or program.layout.has_packet):
        outcome = _flag(arguments, 2, _APPENDED, "appends packet bytes")
        yield from _strongest(program, call, "net.to_userspace", outcome)
    elif number == _ADJUST_ROOM:
        outcome = _flag(arguments, 3, _ENCAPSULATES, "encapsulates")
        yield from _strongest(program, call, "net.encap", outcome)
    elif number == _SET_RETVAL:
        yield from _set_retval(program, call)
    elif number == 164:
        yield finding(program, "exec.unbounded", "D", helper_name(164), call=call)
    if program.layout.has_packet:
        yield from _packet_arguments(program, call, arguments)


def _into_xskmap(program: Program, arguments: list[tuple[Value, ...]]) -> list[tuple[str, str]]:
    found = []
    for given in arguments:
        target = given[0]
        spec = program.maps.get(target.name) if isinstance(target, Pointer) else None
        if spec is None or not isinstance(target, Pointer) or target.kinds != MAP:
            found.append(("possible", f"redirect to a map {_UNRESOLVED}"))
        elif spec.map_type == _XSKMAP:
            found.append(("declared", f"redirect to XSKMAP {spec.name}"))
        else:
            found.append(("excluded", f"map {spec.name} is no XSKMAP"))
    return found or [("possible", f"redirect to a map {_UNRESOLVED}")]


def _flag(
    arguments: list[tuple[Value, ...]], index: int, mask: int, what: str
) -> list[tuple[str, str]]:
    found = []
    for given in arguments:
        numbers = constants(given[index])
        if numbers is None:
            found.append(("possible", f"{what}: flags {_UNRESOLVED}"))
        elif any(number & mask for number in numbers):
            found.append(("declared", what))
        else:
            found.append(("excluded", f"flags do not: {what}"))
    return found or [("possible", f"{what}: flags {_UNRESOLVED}")]


def _strongest(
    program: Program, call: Call, permission: str, outcomes: list[tuple[str, str]]
) -> Iterator[Finding]:
    confidence, what = max(outcomes, key=lambda outcome: _RANK[outcome[0]])
    yield finding(program, permission, "D", what, confidence=confidence, call=call)


def _set_retval(program: Program, call: Call) -> Iterator[Finding]:
    permission = {
        "CGROUP_SOCK": "net.block_socket",
        "CGROUP_SOCK_ADDR": "net.block_socket",
        "CGROUP_DEVICE": "cgroup.device",
        "CGROUP_SYSCTL": "cgroup.sysctl",
        "CGROUP_SOCKOPT": "net.sockopt_intercept",
        "LSM": "lsm.enforce",
    }.get(program.spec.program_type or "")
    if permission is not None:
        yield finding(program, permission, "D", helper_name(_SET_RETVAL), call=call)


def _packet_arguments(
    program: Program, call: Call, arguments: list[tuple[Value, ...]]
) -> Iterator[Finding]:
    """The packet handed over as memory: contents leave without a load in the program."""
    number = call.helper
    if number is not None:
        reads = _READS_THROUGH.get(number, ())
        writes = _WRITES_THROUGH.get(number, ())
    else:
        reads = writes = (0, 1, 2, 3, 4)  # any argument of a kernel function
    for permission, places in (("net.read", reads), ("net.modify", writes)):
        kinds = {
            value.kinds
            for given in arguments
            for value in (given[place] for place in places)
            if isinstance(value, Pointer) and value.kinds & PACKET
        }
        if not kinds or (number is None and kinds == {EVERY_KIND}):
            continue
        is_certain = PACKET in kinds and number is not None
        what = "packet handed to a helper" if number is not None else "packet in a register"
        yield finding(
            program,
            permission,
            "D",
            what if is_certain else f"{what}: {_UNRESOLVED}",
            confidence="declared" if is_certain else "possible",
            call=call,
        )


def _dynptrs(program: Program) -> Iterator[Finding]:
    """Writes to a dynptr that stands for the packet."""
    made = [call for call in program.calls if call.kernel_function in _PACKET_DYNPTRS]
    if not made:
        return
    places = {(call.function, given[2]) for call in made for given in program.arguments(call)}
    for call in program.calls:
        name = call.kernel_function or ""
        writes = call.helper == _DYNPTR_WRITE or name in _WRITES_DYNPTR
        if not writes and not (name.endswith("_dynptr") and name.startswith(_FILLS_DYNPTR)):
            continue
        targets = {(call.function, given[0]) for given in program.arguments(call)}
        certain = any(
            target in places and isinstance(target[1], Pointer) and target[1].kinds == FRAME
            for target in targets
        )
        what = "write to a packet dynptr"
        yield finding(
            program,
            "net.modify",
            "D",
            what if certain else f"{what}: {_UNRESOLVED}",
            confidence="declared" if certain else "possible",
            call=call,
        )


def _loops(program: Program) -> Iterator[Finding]:
    for flow in program.graph.functions:
        for source, _ in flow.back_edges:
            what = "loop"
            name = flow.function.name
            yield finding(program, "exec.unbounded", "D", what, function=name, slot=source)
    for call in program.calls:
        name = call.kernel_function or ""
        if name.startswith("bpf_iter_") and name.endswith("_new"):
            yield finding(program, "exec.unbounded", "D", f"iterator {name}", call=call)
