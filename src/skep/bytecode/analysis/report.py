"""The report of an analysis: what an object's programs may do, need, cost and are licensed as.

Reports are derived from bytecode, never stated by a publisher, and derived again wherever they
matter. The document form has schema ``skep.report/v1``; readers keep fields they do not know.
Everything here is data: people's sentences are made from it in :mod:`.texts`.
"""

from dataclasses import dataclass
from typing import Literal, Self

from skep.bytecode.analysis.document import Document, Part
from skep.bytecode.analysis.errors import MalformedReport
from skep.bytecode.analysis.report_needs import Requirements
from skep.bytecode.analysis.report_standing import Configured, Runtime, Standard
from skep.json_documents import MalformedDocument, canonical_json, parse_json

SCHEMA = "skep.report/v1"
LARGEST_REPORT = 64 * 1024 * 1024  # bytes

DECLARED: Literal["declared"] = "declared"
POSSIBLE: Literal["possible"] = "possible"
EXCLUDED: Literal["excluded"] = "excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Part):
    """Why a permission is there.

    Attributes:
        program: entry whose code it is in; empty if it is about the object as a whole.
        kind: ``E`` exact (a call, an instruction), ``T`` implied by a type, ``D`` data flow.
        what: a few words.
        function: function the instruction is in.
        slot: instruction slot in that function.
        section_slot: instruction slot in the ELF section of the function, as disassemblers count.
        file: source file, empty without line information.
        line: source line, 1-based.
        text: the source line itself.
    """

    program: str
    kind: str
    what: str
    function: str = ""
    slot: int | None = None
    section_slot: int | None = None
    file: str = ""
    line: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission(Part):
    """Something the object's code may do.

    Attributes:
        id: row of the taxonomy.
        text: what people read, without confidence.
        severity: ``info``, ``low``, ``medium``, ``high`` or ``critical``, in this scope.
        confidence: ``declared`` (the bytecode shows it) or ``possible`` (cannot be excluded).
        scope: ``interface``, ``cgroup``, ``socket``; for lists ``map``, ``network namespace`` or
            ``process namespace``; empty where it makes no difference.
        programs: entries that have it.
        evidence: where; at most 16 places per program.
        evidence_count: how many places there are in all.
        fields: of structures of the kernel that it reads or writes, such as ``task_struct.mm``, as
            far as the object names them; at most 12.
        fields_count: how many it names in all.
    """

    id: str
    text: str
    severity: str
    confidence: str
    scope: str = ""
    programs: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    evidence_count: int = 0
    fields: tuple[str, ...] = ()
    fields_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPermission(Part):
    """A permission of one program; ``excluded`` ones are listed here and nowhere else.

    Attributes:
        id: row of the taxonomy.
        confidence: ``declared``, ``possible`` or ``excluded``.
        severity: in this scope and for this evidence.
        scope: as in the permissions of the object.
    """

    id: str
    confidence: str
    severity: str
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination(Part):
    """Permissions that mean more together.

    Attributes:
        id: row of the table of combinations.
        text: what people read.
        severity: as for permissions.
        because: ids of the permissions that cause it.
    """

    id: str
    text: str
    severity: str
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperUse(Part):
    """A helper a program calls.

    Attributes:
        id: its number.
        name: kernel name; ``unknown`` for numbers we do not know.
        calls: reachable places.
    """

    id: int
    name: str
    calls: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TailCall(Part):
    """A place where a program continues in another one.

    Attributes:
        function: function it is in.
        slot: instruction slot in that function.
        map: program array, ``None`` if data flow could not tell.
        indexes: possible indexes, ``None`` if data flow could not tell.
    """

    function: str
    slot: int
    map: str | None = None
    indexes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramReport(Part):
    """One program of the object.

    Attributes:
        name: function name.
        section: ELF section as written.
        program_type: kernel name without prefix, ``None`` if unknown.
        type_source: ``section`` or ``stated`` (by the package's metadata).
        attach_type: kernel name without prefix.
        target: the part of the section name after the slash.
        is_default: loaded by default.
        instructions: slots of all functions it reaches, dead code in them included.
        reachable_instructions: instructions control flow can reach; ``lddw`` counts once.
        functions: entry first, then subprograms and callbacks it reaches.
        helpers: ascending by number.
        kernel_functions: kfuncs by name.
        maps: maps its reachable code refers to.
        exit_values: signed 32-bit values it can return, ``None`` if not resolved.
        tail_calls: in order of their place.
        loops: back edges.
        longest_path: instructions on the longest path, ``None`` if there are loops.
        stack_bytes: deepest stack use along a chain of calls, ``None`` if not resolved.
        groups: conformance groups of RFC 9669 that it needs.
        level: instruction set level, ``v1`` to ``v4`` or ``linux``.
        oldest_kernel: of this program alone.
        permissions: its own, excluded ones included.
        is_resolved: data flow covered it; otherwise what depends on it is ``possible``.
    """

    name: str
    section: str
    program_type: str | None
    type_source: str = "section"
    attach_type: str | None = None
    target: str = ""
    is_default: bool = True
    instructions: int = 0
    reachable_instructions: int = 0
    functions: tuple[str, ...] = ()
    helpers: tuple[HelperUse, ...] = ()
    kernel_functions: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    exit_values: tuple[int, ...] | None = None
    tail_calls: tuple[TailCall, ...] = ()
    loops: int = 0
    longest_path: int | None = None
    stack_bytes: int | None = None
    groups: tuple[str, ...] = ()
    level: str = "v1"
    oldest_kernel: str | None = None
    permissions: tuple[ProgramPermission, ...] = ()
    is_resolved: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceFacts(Part):
    """The licence string the kernel looks at, and what it means.

    Attributes:
        kernel_licence: as written, ``None`` without a ``license`` section.
        state: ``compatible``, ``not compatible`` or ``undeclared``.
        gpl_compatible: ``None`` if undeclared.
        needs_gpl: something in it needs a compatible licence.
        gpl_only_helpers: helpers that need one.
        gpl_only_reasons: what else needs one: a program type, kernel functions.
        would_load: as far as the licence goes; ``None`` if undeclared and needed.
        remarks: what a person should look at.
    """

    kernel_licence: str | None
    state: str
    gpl_compatible: bool | None = None
    needs_gpl: bool = False
    gpl_only_helpers: tuple[HelperUse, ...] = ()
    gpl_only_reasons: tuple[str, ...] = ()
    would_load: bool | None = True
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCost(Part):
    """Memory of a map.

    Attributes:
        name: of the map, or of the data section it is made from.
        key_size: bytes.
        value_size: bytes.
        max_entries: as declared; 0 where user space must set it.
        flags: of its creation.
        map_type: kernel name without prefix, or the number.
        bytes: independent of the number of CPUs.
        bytes_per_cpu: for each possible CPU.
        accuracy: ``estimate`` (within some percent), ``at most`` (grows with use), ``unknown``.
        pinned_by_name: shared with every program that knows the name.
    """

    name: str
    map_type: str
    key_size: int
    value_size: int
    max_entries: int
    bytes: int
    bytes_per_cpu: int = 0
    accuracy: str = "estimate"
    flags: int = 0
    pinned_by_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(Part):
    """What it takes to load it.

    Attributes:
        instructions: slots of all default programs together.
        map_bytes: of all maps, without the part that depends on the number of CPUs.
        map_bytes_per_cpu: for each possible CPU.
        longest_path: of the longest default program without loops, ``None`` if one has loops.
        stack_bytes: the deepest of all default programs, ``None`` if one is not resolved.
        maps: one entry for each map.
    """

    instructions: int = 0
    map_bytes: int = 0
    map_bytes_per_cpu: int = 0
    longest_path: int | None = None
    stack_bytes: int | None = None
    maps: tuple[MapCost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisReport(Part):
    """Everything derived from one object file.

    Attributes:
        taxonomy: version of the permissions table.
        programs: in order of the object.
        permissions: union over the programs, most severe first.
        requirements: what a kernel must have.
        licence: the licence string, and what depends on it.
        cost: what it takes to load it.
        combinations: permissions that mean more together.
        remarks: what a person should look at.
        as_built: what is left with read-only data as in the object; ``None`` if that makes
            no difference, or data flow could not tell.
        standards: which ways of sharing a hook each program fits.
        runtimes: other runtimes than Linux, and whether the programs are candidates for them.
    """

    taxonomy: int
    programs: tuple[ProgramReport, ...]
    permissions: tuple[Permission, ...]
    requirements: Requirements
    licence: LicenceFacts
    cost: Cost
    combinations: tuple[Combination, ...] = ()
    remarks: tuple[str, ...] = ()
    as_built: Configured | None = None
    standards: tuple[Standard, ...] = ()
    runtimes: tuple[Runtime, ...] = ()

    def to_document(self) -> Document:
        """The JSON-able form, schema ``skep.report/v1``."""
        return {**Part.to_document(self), "schema": SCHEMA}

    def to_bytes(self) -> bytes:
        """The canonical bytes: sorted keys, no white space, UTF-8."""
        return canonical_json(self.to_document())

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read a report of any version 1.

        Raises:
            MalformedReport: for another schema, a missing field or a wrong type.
        """
        schema = document.get("schema") if isinstance(document, dict) else None
        if not isinstance(document, dict) or schema != SCHEMA:
            raise MalformedReport(
                f"expected a report with schema {SCHEMA!r}, got {str(schema)[:60]!a}",
                hint="it may come from a newer version of Skep",
            )
        rest = {name: value for name, value in document.items() if name != "schema"}
        return super(AnalysisReport, cls).from_document(rest)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a report from JSON.

        Raises:
            MalformedReport: if it is not JSON, read strictly, or not a report.
        """
        try:
            document = parse_json(data, "report", LARGEST_REPORT)
        except MalformedDocument as error:
            raise MalformedReport(error.message) from error
        return cls.from_document(document)

    def program(self, name: str) -> ProgramReport:
        """The program called ``name``.

        Raises:
            KeyError: if there is none.
        """
        for program in self.programs:
            if program.name == name:
                return program
        raise KeyError(name)
