"""Which ways of sharing a hook a program is fit for, and what speaks against the others.

- ``l3af chain``: tail calls through a pinned program array of one slot, as L3AF's daemon
  (https://github.com/l3af-project/l3afd) fills it.
- ``libxdp dispatcher``: protocol version 2, lib/libxdp/protocol.org of
  https://github.com/xdp-project/xdp-tools. Members replace functions of the dispatcher, for which
  the kernel wants a global function with types and function information.
- ``skep chain``: one program spliced from all members (:mod:`skep.bytecode.linking.sharing`).

All of it is read from the object, without a kernel. A program that tail-calls cannot also be a
member of a dispatcher on recent kernels; both are said to conform, a node has to choose.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from skep.bytecode.analysis.core_needs import roots_of
from skep.bytecode.analysis.preparing import Preparation
from skep.bytecode.analysis.programs import AnalysedProgram, exit_numbers
from skep.bytecode.analysis.report import ProgramReport
from skep.bytecode.analysis.report_standing import Standard
from skep.bytecode.analysis.run_configuration import run_configuration
from skep.bytecode.analysis.values import CONTEXT, Pointer
from skep.bytecode.btf.types import MODIFIERS, BtfType, Kind
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.linking.core.fixed import STABLE_TYPES
from skep.bytecode.linking.sharing import (
    MAKES_OBJECTS,
    MOST_MEMBER_STACK_BYTES,
    SharingObstacle,
    obstacle_of,
)
from skep.bytecode.objectfile.exception_callbacks import throws
from skep.bytecode.objectfile.model import MapSpec, ObjectFile
from skep.errors import SkepError
from skep.hooks.packet_verdicts import CLASSIFIER_VERDICTS, XDP_VERDICTS

L3AF, LIBXDP, SKEP = "l3af chain", "libxdp dispatcher", "skep chain"
_PASSES: Mapping[str, int] = {
    "XDP": XDP_VERDICTS.values["XDP_PASS"],
    "SCHED_CLS": CLASSIFIER_VERDICTS.values["TC_ACT_OK"],
}
_PROBES = frozenset(
    {"KPROBE", "TRACEPOINT", "RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE", "TRACING", "PERF_EVENT"}
)
_TAIL_CALL = 12
_UNRESOLVED = "data flow could not follow the program"


def standards_of(
    object_file: ObjectFile,
    preparation: Preparation,
    reports: Sequence[ProgramReport],
    broken: Sequence[tuple[str, ...]],
) -> tuple[Standard, ...]:
    """The standards that are meant for each program's type, in order of the programs.

    Args:
        broken: why nothing runs the code, for each program.
    """
    found = []
    for program, report, wrong in zip(preparation.programs, reports, broken, strict=True):
        refused = [f"no kernel loads it: {what}" for what in wrong[:1]]
        name = program.spec.name
        program_type = program.spec.program_type
        if program_type in _PASSES:
            reasons = refused + list(_l3af_reasons(object_file, preparation, program, report))
            facts = tuple(_l3af_facts(program, report)) if not reasons else ()
            found.append(_standard(name, L3AF, reasons, facts))
        if program_type == "XDP":
            reasons = refused + list(_libxdp_reasons(object_file, program))
            configuration = run_configuration(object_file.types, name)
            facts = (
                f"priority {configuration.priority}",
                f"continues on {', '.join(configuration.run_on) or 'nothing'}",
                *(("supports fragments",) if program.spec.has_frags else ()),
            )
            found.append(_standard(name, LIBXDP, reasons, facts if not reasons else ()))
            found.append(_standard(name, SKEP, refused + list(_skep_reasons(program, report))))
    return tuple(found)


def _standard(
    program: str, standard: str, reasons: Sequence[str], facts: tuple[str, ...] = ()
) -> Standard:
    return Standard(
        program=program,
        standard=standard,
        conforms=not reasons,
        reasons=tuple(reasons),
        facts=facts,
    )


# L3AF


def _l3af_reasons(
    object_file: ObjectFile,
    preparation: Preparation,
    program: AnalysedProgram,
    report: ProgramReport,
) -> Iterator[str]:
    """Rules 1 to 4 and 8 of the standard; 5 to 7 are about packages."""
    # (1) the chaining map, and (2) a tail call through it
    through = {call.map for call in report.tail_calls}
    chaining = [spec for spec in object_file.maps if _is_chaining_map(spec)]
    own = [spec for spec in chaining if spec.name in through]
    if not chaining:
        yield (
            "there is no chaining map: a program array with 4-byte keys and values, one entry, "
            "pinned by name"
        )
    if not report.tail_calls:
        yield "it makes no tail call, so the chain ends with it"
    elif chaining and len(own) != 1:
        yield "its tail calls do not go through one chaining map"
    elif own:
        yield from _l3af_paths(preparation, program, report, own[0].name)
    # (3) sections
    if not program.spec.section.removeprefix("?").startswith(("xdp", "tc")):
        yield "its section begins with neither xdp nor tc"
    others = [
        spec.name
        for spec in object_file.programs
        if spec.program_type not in _PASSES and spec.program_type not in _PROBES
    ]
    if others:
        yield f"the object has programs that are neither for the network nor probes: {others[0]}"
    # (4) licence
    if object_file.licence is None:
        yield "the object has no licence string"
    # (8) types
    kernel_types = sorted(set(roots_of(object_file, [program])) - STABLE_TYPES)
    if kernel_types:
        yield f"it reads types of the kernel: {kernel_types[0]}"


def _is_chaining_map(spec: MapSpec) -> bool:
    return (
        MAP_TYPE_NAMES.get(spec.map_type) == "PROG_ARRAY"
        and (spec.key_size, spec.value_size, spec.max_entries) == (4, 4, 1)
        and spec.pinning == 1
    )


def _l3af_paths(
    preparation: Preparation, program: AnalysedProgram, report: ProgramReport, chaining: str
) -> Iterator[str]:
    if any(call.map == chaining and call.indexes != (0,) for call in report.tail_calls):
        yield "a tail call through the chaining map is not to index 0"
    for call in program.calls:
        for given in program.arguments(call) if call.helper == _TAIL_CALL else ():
            if not isinstance(given[0], Pointer) or given[0].kinds != CONTEXT or given[0].offset:
                yield "a tail call does not hand the context on"
    passes = _PASSES[program.spec.program_type or ""]
    everything = _exit_values(program)
    assumptions = replace(preparation.assumptions, tail_calls_leave=True)
    (left,) = preparation.assuming([program], assumptions)
    before = _exit_values(left)
    if everything is None or before is None:
        yield f"whether all other verdicts are final is unknown: {_UNRESOLVED}"
        return
    if passes in before:
        yield f"a way through it ends with {passes} and without a tail call"
    if passes not in everything:
        yield f"it does not return {passes} where no program follows"


def _exit_values(program: AnalysedProgram) -> frozenset[int] | None:
    """``None`` if not resolved; nothing if every way leaves by a tail call."""
    if program.facts is None or program.entry is None or not program.is_resolved:
        return None
    found: set[int] = set()
    for value in program.facts[program.entry].exits.values():
        known = exit_numbers(value)
        if known is None:
            return None
        found |= known[0]
    return frozenset(found)


def _l3af_facts(program: AnalysedProgram, report: ProgramReport) -> Iterator[str]:
    yield f"chaining map {report.tail_calls[0].map}"
    passes = (_PASSES[program.spec.program_type or ""],)
    if report.reachable_instructions <= 6 and report.exit_values == passes:
        yield "fit to be a root: nothing but the tail call"


# libxdp


def _libxdp_reasons(object_file: ObjectFile, program: AnalysedProgram) -> Iterator[str]:
    types = object_file.types
    functions = program.graph.functions
    if types is None:
        yield "the object has no types (BTF), which replacing a function needs"
        return
    if not functions:
        yield "its function is not in the object"
        return
    entry = functions[0].function
    try:
        if types.find("dispatcher_version", Kind.VAR):
            yield "it is a dispatcher itself"
        declared = types.type(entry.type_id)
        if not entry.type_id or declared.kind is not Kind.FUNC:
            yield "there is no function information for its entry"
        elif declared.linkage != 1 or entry.is_static:
            yield "its entry is a static function"
        elif not _takes_context(object_file, declared):
            yield "its entry does not take one pointer and return an int"
    except SkepError as error:
        yield f"its types cannot be read: {error.message}"
    if program.spec.attach_type not in {None, "XDP"}:
        yield f"it is for {program.spec.attach_type}, which no dispatcher runs on"


def _takes_context(object_file: ObjectFile, declared: BtfType) -> bool:
    types = object_file.types
    if types is None:
        return False
    prototype = types.type(declared.refers_to)
    if prototype.kind is not Kind.FUNC_PROTO or len(prototype.parameters) != 1:
        return False

    def plain(type_id: int) -> BtfType:
        found = types.type(type_id)
        for _ in range(32):
            if found.kind not in MODIFIERS:
                break
            found = types.type(found.refers_to)
        return found

    result = plain(prototype.refers_to)
    parameter = plain(prototype.parameters[0].type_id)
    return parameter.kind is Kind.PTR and result.kind in {Kind.INT, Kind.ENUM} and result.size == 4


# Skep


def _skep_reasons(program: AnalysedProgram, report: ProgramReport) -> Iterator[str]:
    if program.spec.attach_type not in {None, "XDP"}:
        yield f"it runs for entries of a map ({program.spec.attach_type}), not on an interface"
    obstacles: dict[SharingObstacle, None] = {}
    for flow in program.graph.functions:
        function = flow.function
        if any(relocation.kind == "function_address" for relocation in function.relocations):
            obstacles[SharingObstacle.FUNCTION_ADDRESS] = None
        # Of equal opcode and register they are equally suspicious; the second half of a wide load
        # has opcode 0, which never is.
        kinds = {(each[0], each[2]): each for each in function.instructions}
        for obstacle in map(obstacle_of, kinds.values()):
            if obstacle is not None:
                obstacles[obstacle] = None
    for obstacle in obstacles:
        yield f"it {obstacle.value}"
    throwing = [throws((flow.function,)) for flow in program.graph.functions]
    if any(throwing) and program.exception_callback is not None:
        yield "it throws, and its exception callback makes the return value of the whole chain"
    elif any(throwing[1:]):
        yield "it throws in a subprogram, which would end the whole chain"
    if any(call.kernel_function in MAKES_OBJECTS for call in program.calls):
        yield "it makes objects of its own types, which a chain does not have"
    stack = _own_stack(program)
    if stack > MOST_MEMBER_STACK_BYTES:
        yield f"it uses {stack} bytes of stack; a chain leaves {MOST_MEMBER_STACK_BYTES}"
    if report.is_resolved and report.exit_values == ():
        yield "it never returns"


def _own_stack(program: AnalysedProgram) -> int:
    """Bytes of the entry's frame, 0 where data flow was not asked."""
    if program.facts is None or program.entry is None:
        return 0
    return program.facts[program.entry].frame_bytes
