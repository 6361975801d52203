"""Permissions that memory accesses show: whose memory is read and written, and how.

Accesses are those of instructions and those of the calls that get a pointer; data flow says what
the pointer is (:mod:`.values`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

from skep.bytecode.analysis.calling import arguments_of
from skep.bytecode.analysis.contexts import ELEMENTS, NETFILTER
from skep.bytecode.analysis.control_flow import FunctionFlow
from skep.bytecode.analysis.field_names import is_of_kernel
from skep.bytecode.analysis.findings import CodeFinding, finding
from skep.bytecode.analysis.flow_facts import FunctionFacts
from skep.bytecode.analysis.programs import AnalysedProgram
from skep.bytecode.analysis.values import FILE, FLOW_KEYS, KERNEL, MAP_VALUE, PACKET, USER
from skep.bytecode.isa.codes import CALL

UNRESOLVED = "not resolved by data flow"


class _Rule(NamedTuple):
    """What an access shows.

    Attributes:
        kind: of memory.
        access: which way.
        what: for people.
        applies: to which programs.
        is_listed: whether its absence is worth a line.
    """

    permission: str
    kind: int
    access: Literal["load", "store"]
    what: str
    applies: Callable[[AnalysedProgram], bool]
    is_listed: bool = False


def _always(_program: AnalysedProgram) -> bool:
    return True


def _has_packet(program: AnalysedProgram) -> bool:
    return program.layout.has_packet or _dynptr_kinds(program) & PACKET != 0


def _has_flow_keys(program: AnalysedProgram) -> bool:
    return program.spec.program_type in {"FLOW_DISSECTOR", "EXT", None}


# Types whose programs the verifier lets store to structures of the kernel: is_valid_access and
# btf_struct_access in net/core/filter.c, net/ipv4/bpf_tcp_ca.c, kernel/sched/ext.c, Linux 6.18.
_WRITES_KERNEL = frozenset({"STRUCT_OPS", "RAW_TRACEPOINT_WRITABLE", "EXT", None})
_WRITES_CONNECTIONS = frozenset({"XDP", "SCHED_CLS", "SCHED_ACT"})


def _writes_kernel(program: AnalysedProgram) -> bool:
    program_type = program.spec.program_type
    if program_type in _WRITES_CONNECTIONS:
        return any("_ct_" in name for name in program.externs)
    return program_type in _WRITES_KERNEL or not program.layout.is_known


_RULES = (
    _Rule("data.state", MAP_VALUE, "store", "store to a map value", _always, is_listed=True),
    _Rule("net.read", PACKET, "load", "load from the packet", _has_packet, is_listed=True),
    _Rule("net.modify", PACKET, "store", "store to the packet", _has_packet, is_listed=True),
    _Rule("kernel.read_memory", KERNEL, "load", "load from kernel memory", _always, is_listed=True),
    _Rule("kernel.write_memory", KERNEL, "store", "store to kernel memory", _writes_kernel),
    _Rule("user.read_memory", USER, "load", "load from the memory of a process", _always),
    _Rule("user.write_memory", USER, "store", "store to the memory of a process", _always),
    _Rule("net.steer", FLOW_KEYS, "store", "store to flow_keys", _has_flow_keys),
    _Rule("file.read", FILE, "load", "load from a file", _always),
)


def memory_findings(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """What the program reads and writes."""
    for flow in program.graph.functions:
        for slot in flow.packet_load_slots:
            name = flow.function.name
            yield finding(
                program, "net.read", "E", "packet load (LD_ABS or LD_IND)", at=(name, slot)
            )
    flows = {flow.function.name: flow for flow in program.graph.functions}
    vague = _dynptr_kinds(program)
    meets = _meets_kernel(program)
    for rule in _RULES:
        shown = False
        if rule.applies(program):
            for each in _accesses(program, rule, flows, vague):
                if rule.kind == KERNEL and each.confidence == "possible" and not meets:
                    continue
                shown = True
                yield each
        elif rule.access == "store" and rule.kind == KERNEL:
            for each in _accesses(program, rule, flows, 0):
                if _is_call(flows, each):  # what a call writes does not depend on the type
                    shown = True
                    yield each
        if not shown and (rule.is_listed or not program.is_resolved) and rule.applies(program):
            is_excluded = program.is_resolved or (rule.kind == KERNEL and not meets)
            confidence = "excluded" if is_excluded else "possible"
            note = f"no {rule.what}" if is_excluded else f"{rule.what}: {UNRESOLVED}"
            if rule.is_listed or rule.kind == KERNEL:
                yield finding(program, rule.permission, "D", note, confidence=confidence)
    yield from _of_packets_in_kernel_memory(program)
    yield from _of_fields(program)


def _of_packets_in_kernel_memory(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """A program about packets that reads kernel memory may read the packet there."""
    layout = program.layout
    if not layout.packet_fields and layout is not NETFILTER:
        return
    for function, facts in program.function_facts():
        for slot, kinds in sorted(facts.loads.items()):
            if kinds & KERNEL:
                yield finding(
                    program,
                    "net.read",
                    "D",
                    "load from kernel memory, where the packet is too",
                    confidence="possible",
                    at=(function, slot),
                )


def _meets_kernel(program: AnalysedProgram) -> bool:
    """Whether anything the program reaches can give it a pointer to a structure of the kernel.

    The verifier follows no other pointer there, so without one a pointer that data flow lost is
    one to something else.
    """
    layout = program.layout
    if layout.is_typed or not layout.is_known or layout is NETFILTER or program.holds_pointers:
        return True
    if any(extern.kind == "kernel_variable" for extern in program.externs.values()):
        return True
    for call in program.calls:
        known = arguments_of(call.helper, call.kernel_function or "")
        effects = {"kernel_address", "format"}
        if known.result in {"kernel_object", "anything"} or effects & {*known.arguments}:
            return True
    return False


def _is_call(flows: Mapping[str, FunctionFlow], found: CodeFinding) -> bool:
    flow = flows.get(found.function)
    return flow is not None and found.slot is not None and flow.opcodes[found.slot] == CALL


def _dynptr_kinds(program: AnalysedProgram) -> int:
    kinds = 0
    for _, facts in program.function_facts():
        kinds |= facts.dynptr_kinds
    return kinds


def _accesses(
    program: AnalysedProgram, rule: _Rule, flows: Mapping[str, FunctionFlow], vague: int
) -> Iterator[CodeFinding]:
    has_fields = rule.kind in {KERNEL, FLOW_KEYS}
    addressed: tuple[str, ...] | None = None
    for function, facts in program.function_facts():
        certain, maybe = _slots(facts, rule, vague)
        for confidence, slots in (("declared", certain), ("possible", maybe - certain)):
            for slot in sorted(slots):
                flow = flows[function]
                field = program.fields.at(function, slot) if has_fields else ""
                names: tuple[str, ...] = (field,) if is_of_kernel(field) else ()
                if has_fields and rule.access == "load" and flow.opcodes[slot] == CALL:
                    if addressed is None:
                        addressed = program.fields.addressed(program.graph.functions)
                    names = addressed
                what = _what(program, rule, flow, slot, field)
                if confidence == "possible" and _is_of_others(program, rule):
                    yield _into_others(program, rule, function, slot)
                    continue
                yield finding(
                    program,
                    rule.permission,
                    "D",
                    what if confidence == "declared" else f"{what}: pointer {UNRESOLVED}",
                    confidence=confidence,
                    at=(function, slot),
                    fields=names,
                )


def _is_of_others(program: AnalysedProgram, rule: _Rule) -> bool:
    """Whether a store goes to an element of the map the program iterates over.

    Such a pointer is one to the element or to a structure of the kernel, and the verifier lets no
    iterator store to the latter.
    """
    return program.layout is ELEMENTS and rule.kind == MAP_VALUE and rule.access == "store"


def _into_others(program: AnalysedProgram, rule: _Rule, function: str, slot: int) -> CodeFinding:
    what = "store to an element of the map it iterates over, which may be another program's"
    return finding(program, rule.permission, "D", what, at=(function, slot), severity="high")


def _slots(facts: FunctionFacts, rule: _Rule, vague: int) -> tuple[set[int], set[int]]:
    certain = facts.stores if rule.access == "store" else facts.loads
    maybe = facts.maybe_stores if rule.access == "store" else facts.maybe_loads
    possible = {slot for slot, kinds in maybe.items() if kinds & rule.kind}
    if vague & rule.kind:
        possible |= facts.dynptr_stores if rule.access == "store" else facts.dynptr_loads
    return {slot for slot, kinds in certain.items() if kinds & rule.kind}, possible


def _what(program: AnalysedProgram, rule: _Rule, flow: FunctionFlow, slot: int, field: str) -> str:
    name = flow.function.name
    if flow.opcodes[slot] == CALL:
        called = next(
            (call for call in program.calls if call.function == name and call.slot == slot), None
        )
        by = "" if called is None else f" by {called.name}"
        return f"{rule.what}{by}"
    return (
        f"{'store to' if rule.access == 'store' else 'load from'} {field}" if field else rule.what
    )


# Fields through which a program gets at contents that have a permission of their own, whatever it
# reads them with.
_FIELDS: Mapping[str, tuple[str, frozenset[str]]] = {
    "sk_buff": ("net.read", frozenset({"data", "head"})),
    "xdp_buff": ("net.read", frozenset({"data", "data_hard_start"})),
    "dentry": ("file.path", frozenset({"d_name", "d_iname", "d_shortname"})),
    "qstr": ("file.path", frozenset({"name"})),
    "filename": ("file.path", frozenset({"name", "uptr", "iname"})),
    "linux_binprm": ("file.path", frozenset({"filename", "interp", "fdpath"})),
}
_ROOTS = frozenset(_FIELDS)


def _of_fields(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """Packets and names of files, read through structures of the kernel."""
    for flow in program.graph.functions:
        function = flow.function.name
        records = program.fields.about(function, _ROOTS)
        if not records:
            continue
        reached = flow.reached()
        for record in records:
            if not any(start <= record.slot < end for start, end in reached):
                continue
            name = program.fields.name_of(record)
            root, _, path = name.partition(".")
            permission, fields = _FIELDS[root]
            if path.partition(".")[0].partition("[")[0] in fields:
                yield finding(
                    program,
                    permission,
                    "D",
                    f"reads {name}",
                    at=(function, record.slot),
                )
