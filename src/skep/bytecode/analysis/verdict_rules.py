"""Permissions that return values show: evidence D from the verdict tables of the hooks.

``declared`` where some path returns a value that shows the permission, ``possible`` where a value
is not known or something outside of the program decides too, ``excluded`` where every value is
known and none shows it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from skep.bytecode.analysis.exit_origins import ExitOrigins, Origin
from skep.bytecode.analysis.findings import CodeFinding, finding
from skep.bytecode.analysis.kernel_targets import TargetAnswer, changes_security, security_hook
from skep.bytecode.analysis.memory_rules import UNRESOLVED
from skep.bytecode.analysis.programs import AnalysedProgram, Call, Ends, ends_of, helper_name
from skep.bytecode.analysis.values import MASK64, constants, seen_in, signed
from skep.hooks.security_hooks import ARGUMENTS, RETURNS_NOTHING
from skep.hooks.verdict import Verdict, VerdictTable
from skep.hooks.verdicts import verdicts_of

_ENFORCE, _OBSERVE, _MODIFY = "lsm.enforce", "lsm.observe", "kernel.modify_return"
_DROP = "net.drop"
_SET_RETVAL = 187


@dataclass(frozen=True, slots=True)
class _Exit:
    """What is known of one exit.

    Attributes:
        function: it is in.
        slot: of the exit, in that function.
        ends: the values it may have.
        written: slots that write a value, for those whose place is known; others are the exit's.
        is_open: there are values besides the numbers.
        handed_on: some path returns what the programs before it decided.
        from_context: all other values are read from the context.
    """

    function: str
    slot: int
    ends: Ends
    written: Mapping[int, int]
    is_open: bool
    handed_on: bool = False
    from_context: bool = False


def verdict_findings(program: AnalysedProgram) -> Iterator[CodeFinding]:
    """What a program's answers to its hook show, for and against."""
    spec = program.spec
    table = verdicts_of(spec.program_type, spec.attach_type)
    if table is None or not table.permissions:
        return
    security = changes_security(program)
    found = [*_of_exits(program, table, security), *_of_errors(program, table)]
    yield from found
    # Whoever may change the result of a security function is there for that.
    enforcing = {"declared"} if spec.program_type == "LSM" else {"declared", "possible"}
    if security is TargetAnswer.YES and not any(
        each.permission == _ENFORCE and each.confidence in enforcing for each in found
    ):
        yield finding(program, _OBSERVE, "T", f"program type {spec.program_type}")


def _of_exits(
    program: AnalysedProgram, table: VerdictTable, security: TargetAnswer
) -> Iterator[CodeFinding]:
    """What the return values show."""
    exits = _exits(program)
    permissions = [*table.permissions]
    if security is not TargetAnswer.NO and _MODIFY in permissions:
        permissions.append(_ENFORCE)
    for permission in permissions:
        if permission == _ENFORCE and security_hook(program) in RETURNS_NOTHING:
            what = f"security hook {program.spec.target} has no return value"
            yield finding(program, permission, "D", what, confidence="excluded")
        elif permission == _ENFORCE and _MODIFY in permissions:
            yield from _shown(program, table, permission, exits, _MODIFY, security)
        else:
            yield from _shown(program, table, permission, exits, permission, TargetAnswer.YES)


def _shown(
    program: AnalysedProgram,
    table: VerdictTable,
    permission: str,
    exits: Sequence[_Exit] | None,
    row_permission: str,
    applies: TargetAnswer,
) -> Iterator[CodeFinding]:
    """Findings for one permission; ``row_permission`` is the one its rows are found by."""
    if exits is None:
        what = f"exit value {UNRESOLVED}"
        yield finding(program, permission, "D", what, confidence="possible")
        return
    shown = False
    for each in exits:
        for slot, confidence, what in _of_exit(table, each, row_permission):
            shown = True
            is_possible = confidence == "possible" or applies is TargetAnswer.MAYBE
            yield finding(
                program,
                permission,
                "D",
                what,
                confidence="possible" if is_possible else "declared",
                at=(each.function, slot),
            )
    if not shown:
        handed_on = any(each.handed_on for each in exits)
        what = "passes on what earlier programs decided" if handed_on else "no such exit value"
        yield finding(program, permission, "D", what, confidence="excluded")


def _of_exit(table: VerdictTable, each: _Exit, permission: str) -> Iterator[tuple[int, str, str]]:
    """(slot, confidence, what) of one exit: what is certain, else what is possible."""
    numbers: dict[int, list[tuple[int, Verdict]]] = {}
    for number in sorted(each.ends.numbers | each.written.keys()):
        slot = each.written.get(number, each.slot)
        for row in table.rows(number):
            if permission in row.permissions:
                numbers.setdefault(slot, []).append((number, row))
    for slot, rows in numbers.items():
        confidence = "declared" if any(row.is_certain for _, row in rows) else "possible"
        said = ", ".join(f"{number} ({row.label})" for number, row in rows)
        yield slot, confidence, f"exit value {said}"
    redirects = [row for row in table.redirects() if permission in row.permissions]
    if each.ends.redirects and redirects:
        confidence = "declared" if redirects[0].is_certain else "possible"
        yield each.slot, confidence, f"result of a redirect ({redirects[0].label})"
    elif numbers:
        return
    elif each.is_open and table.may_show(permission, each.ends.low, each.ends.high):
        from_context = "passes on a value from its context"
        what = from_context if each.from_context else f"exit value {UNRESOLVED}"
        yield each.slot, "possible", what
    elif permission == _DROP:
        place = _redirecting(table, each)
        if place is not None:
            yield place, "possible", "a redirect that can fail, which drops the packet"


def _redirecting(table: VerdictTable, each: _Exit) -> int | None:
    """Where an exit says "redirect", whether or not a helper named a target."""
    if each.ends.redirects:
        return each.slot
    for number in sorted(each.ends.numbers | each.written.keys()):
        if any(row.by_redirect for row in table.rows(number)):
            return each.written.get(number, each.slot)
    return None


def _exits(program: AnalysedProgram) -> list[_Exit] | None:
    """``None`` if the exits are not resolved."""
    exits = program.exits()
    if exits is None:
        return None
    ends = [(each, ends_of(each.value)) for each in exits]
    walk = _walk(program) if any(each.is_open for _, each in ends) else None
    return [_exit(program, each.function, each.slot, known, walk) for each, known in ends]


def _walk(program: AnalysedProgram) -> ExitOrigins | None:
    """Where the exit values of the entry come from."""
    flow = next(iter(program.graph.functions), None)
    if program.facts is None or program.entry is None or flow is None or not program.is_resolved:
        return None
    changed = program.fields.slots(flow.function.name)
    return ExitOrigins(flow, program.facts[program.entry].blocks, changed)


def _exit(
    program: AnalysedProgram, function: str, slot: int, ends: Ends, walk: ExitOrigins | None
) -> _Exit:
    is_entry = program.entry is not None and function == program.entry[0]
    origins = walk.of(slot) if walk is not None and ends.is_open and is_entry else ()
    written = {each.number: each.slot for each in origins if each.kind == "constant"}
    others = [each for each in origins if each.kind != "constant"]
    handed_on = [each for each in others if _is_earlier_decision(program, each)]
    is_open = ends.is_open and not (origins and len(handed_on) == len(others))
    from_context = bool(others) and all(each.kind == "context" for each in others)
    return _Exit(function, slot, ends, written, is_open, bool(handed_on), from_context)


def _is_earlier_decision(program: AnalysedProgram, origin: Origin) -> bool:
    """Whether it is the last argument of a security hook: the result so far."""
    count = ARGUMENTS.get(security_hook(program))
    is_module = program.spec.attach_type in {None, "LSM_MAC"}
    return origin.kind == "context" and is_module and count == origin.number / 8


def _of_errors(program: AnalysedProgram, table: VerdictTable) -> Iterator[CodeFinding]:
    """What ``bpf_set_retval`` shows: an error is what a refused operation ends with.

    Zero refuses nothing; it lifts what programs before it refused.
    """
    if not table.takes_error:
        return
    denials = {name: row for row in table.rows(0) for name in row.permissions}
    for call in program.calls:
        is_reached = bool(program.arguments(call)) or not program.is_resolved
        if call.helper == _SET_RETVAL and is_reached:
            for permission, row in denials.items():
                confidence, what = _error(program, call, permission, row)
                yield finding(program, permission, "D", what, confidence=confidence, at=call)


def _error(program: AnalysedProgram, call: Call, permission: str, row: Verdict) -> tuple[str, str]:
    name = helper_name(_SET_RETVAL)
    numbers: set[int] = set()
    is_known = True
    for given in program.arguments(call):
        is_known = is_known and constants(given[0]) is not None
        numbers |= {signed(each, 32) for each in seen_in(given[0]) if each <= MASK64}
    errors = sorted(numbers - {0})
    if errors:
        return "declared", f"{name} with {', '.join(map(str, errors))} ({row.meaning})"
    if not is_known or not numbers:
        return "possible", f"{name} with a value {UNRESOLVED}"
    if permission == "cgroup.device":
        return "declared", f"{name} with 0 (allows what others refused)"
    return "excluded", f"{name} with 0 refuses nothing"
