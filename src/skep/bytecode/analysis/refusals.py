"""Code that no kernel loads.

Sources: ``kernel/bpf/verifier.c`` and ``kernel/bpf/core.c``, Linux 4.4 to 6.18. Only what is
certain: a verifier refuses much more, for reasons that only running it tells.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from skep.bytecode.analysis.control_flow import FunctionFlow
from skep.bytecode.analysis.cost import stack_bytes
from skep.bytecode.analysis.instruction_sets import InstructionUse
from skep.bytecode.analysis.need import FIRST, KernelNeed
from skep.bytecode.analysis.programs import AnalysedProgram
from skep.bytecode.isa.codes import CALL, CALLX, LDDW, MOST_INSTRUCTIONS
from skep.bytecode.isa.opcodes import OPCODES

_MOST_STACK_BYTES = 512
_READ_PACKETS = frozenset({"SOCKET_FILTER", "SCHED_CLS", "SCHED_ACT"})
_OWN_STACKS = frozenset(
    [
        "KPROBE",
        "TRACEPOINT",
        "PERF_EVENT",
        "RAW_TRACEPOINT",
        "RAW_TRACEPOINT_WRITABLE",
        "TRACING",
        "LSM",
        "STRUCT_OPS",
    ]
)
"""Types whose functions may get a stack of their own each, since 6.13."""

_BY_REFERENCE = frozenset({0, LDDW, CALL})  # 0: the second half of a wide load
_OPTIMISE = "compile with -O2"
_AS_A_LOOP = "write it as a loop with a bound"
_PROVIDE = "define it in a source; a kernel function is declared extern … __ksym"
_IN_A_MAP = "keep large data in a map, such as a per-CPU array of one entry"


class CodeChecks:
    """Looks at each function once, however many programs share it."""

    def __init__(self) -> None:
        self._known: dict[str, list[tuple[str, int | None, str]]] = {}

    def of(self, flow: FunctionFlow) -> list[tuple[str, int | None, str]]:
        """(what is wrong, slot, hint) for everything wrong with a function."""
        name = flow.function.name
        if name not in self._known:
            self._known[name] = list(_of_function(flow))
        return self._known[name]


def code_refusals(
    program: AnalysedProgram, used: Sequence[InstructionUse], checks: CodeChecks
) -> Iterator[KernelNeed]:
    """Faults of the code itself, which other runtimes refuse too."""
    name = program.spec.name
    for use in used:
        if use.facts is None or use.facts.first_kernel is None:
            is_call = use.opcode == CALLX
            what = "calls through a register" if is_call else "unknown instruction"
            yield _refused(
                f"{what} ({use.opcode:#04x})",
                (name, use.function, use.slot),
                _OPTIMISE if is_call else "",
            )
    for flow in program.graph.functions:
        for what, slot, hint in checks.of(flow):
            yield _refused(what, (name, flow.function.name, slot), hint)
    if program.graph.recursive:
        yield _refused("functions call themselves", (name, "", None), _AS_A_LOOP)
    for missing in dict.fromkeys((*program.graph.missing, *program.missing)):
        yield _refused(f"calls {missing}, which no kernel provides", (name, "", None), _PROVIDE)


def _of_function(flow: FunctionFlow) -> Iterator[tuple[str, int | None, str]]:
    if flow.leaves_function:
        yield "a jump or the end leads out of a function", None, ""
    slot = _reserved(flow)
    if slot is not None:
        yield f"instruction {flow.opcodes[slot]:#04x} uses reserved fields", slot, ""
    slot = _unreached(flow)
    if slot is not None:
        yield "instructions that nothing reaches", slot, _OPTIMISE


def type_refusals(program: AnalysedProgram) -> Iterator[KernelNeed]:
    """What no kernel accepts from programs of this type, or not before some kernel."""
    spec = program.spec
    for flow in program.graph.functions:
        if flow.packet_load_slots and spec.program_type not in {*_READ_PACKETS, None, "EXT"}:
            place = (spec.name, flow.function.name, flow.packet_load_slots[0])
            yield _refused(f"legacy packet load in {spec.program_type} programs", place)
    if sum(flow.instructions for flow in program.graph.functions) > MOST_INSTRUCTIONS:
        yield _refused("more than 1,000,000 instructions", (spec.name, "", None))
    yield from _stack(program)


def _stack(program: AnalysedProgram) -> Iterator[KernelNeed]:
    spec = program.spec
    for function, facts in program.function_facts():
        if facts.is_resolved and facts.frame_bytes > _MOST_STACK_BYTES:
            what = f"{facts.frame_bytes} bytes of stack in one function, 512 are allowed"
            yield _refused(what, (spec.name, function, None), _IN_A_MAP)
            return
    deepest = stack_bytes(program)
    if deepest is None or deepest <= _MOST_STACK_BYTES:
        return
    if any(flow.callbacks for flow in program.graph.functions):
        return  # what runs later has a stack of its own
    if spec.program_type in _OWN_STACKS:
        yield KernelNeed((6, 13), "more than 512 bytes of stack in nested calls", spec.name)
    else:
        what = f"{deepest} bytes of stack in nested calls, 512 are allowed"
        yield _refused(what, (spec.name, "", None), _IN_A_MAP)


def _refused(what: str, place: tuple[str, str, int | None], hint: str = "") -> KernelNeed:
    return KernelNeed(FIRST, what, *place, refused=what, hint=hint)


def _unreached(flow: FunctionFlow) -> int | None:
    """The first slot control flow never gets to; the verifier insists on all."""
    position = 0
    for start, end in flow.reached():
        if start > position:
            return position
        position = end
    return position if position < len(flow.opcodes) else None


def _reserved(flow: FunctionFlow) -> int | None:
    """The first reachable slot with operands where its opcode has none."""
    code = flow.function.instructions
    wrong = {each for each in set(code) if each[0] not in _BY_REFERENCE and not _is_valid(*each)}
    if not wrong:
        return None
    for start, end in flow.reached():
        for slot in range(start, end):
            if code[slot] in wrong and slot not in flow.relocations:
                return slot
    return None


@lru_cache(maxsize=4096)
def _is_valid(opcode: int, _dst: int, src: int, offset: int, immediate: int) -> bool:
    rows = OPCODES.get(opcode)
    if rows is None or all(row.first_kernel is None for row in rows):
        return True  # told as an unknown instruction
    return any(
        row.src in {None, src}
        and row.offset in {None, offset}
        and row.immediate in {None, immediate}
        for row in rows
    )
