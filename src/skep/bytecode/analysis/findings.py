"""A finding: one piece of evidence for (or against) one permission of one program."""

from dataclasses import dataclass

from skep.bytecode.analysis.programs import AnalysedProgram, Call
from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.hooks.verdicts import scope_of_type

_LOW_IN_SOCKET_SCOPE = frozenset({"net.drop", "net.resize"})


@dataclass(frozen=True, slots=True)
class CodeFinding:
    """Evidence.

    Attributes:
        permission: row of the taxonomy.
        confidence: ``declared``, ``possible`` or ``excluded``.
        kind: ``E`` exact, ``T`` by type, ``D`` data flow.
        what: a few words.
        program: entry, empty for the object as a whole.
        function: function it is in, empty if it is not in code.
        slot: slot in that function.
        scope: whose packets.
        severity: in this scope and for this evidence.
        fields: of structures of the kernel that it reads or writes, as far as names tell.
    """

    permission: str
    confidence: str
    kind: str
    what: str
    program: str
    function: str
    slot: int | None
    scope: str
    severity: str
    fields: tuple[str, ...] = ()


def finding(
    program: AnalysedProgram | None,
    permission: str,
    kind: str,
    what: str,
    *,
    confidence: str = "declared",
    at: Call | tuple[str, int] | None = None,
    severity: str | None = None,
    scope: str | None = None,
    fields: tuple[str, ...] = (),
) -> CodeFinding:
    """A finding with scope and severity filled in.

    Args:
        at: where it is: a call, or function and slot; the program as a whole if left out.
    """
    function, slot = ("", None) if at is None else _place(at)
    if scope is None:
        scope = _scope_of(permission, program)
    if severity is None:
        severity = PERMISSIONS[permission].severity
        if scope == "socket" and permission in _LOW_IN_SOCKET_SCOPE:
            severity = "low"
    name = "" if program is None else program.spec.name
    return CodeFinding(
        permission, confidence, kind, what, name, function, slot, scope, severity, fields
    )


def _place(at: Call | tuple[str, int]) -> tuple[str, int]:
    return (at.function, at.slot) if isinstance(at, Call) else at


def _scope_of(permission: str, program: AnalysedProgram | None) -> str:
    """On whose packets, sockets or processes it acts; empty if it makes no difference."""
    if program is not None and permission in {"lsm.enforce", "lsm.observe"}:
        return "cgroup" if program.spec.attach_type == "LSM_CGROUP" else ""
    if program is None or not permission.startswith("net."):
        return ""
    return scope_of_type(program.spec.program_type)
