"""The label: a summary of the reports of one or more objects, as one type.

Aggregated once, in :func:`label_of`, and read and written here: what ``inspect``, ``show`` and the
install prompt print, what a marketplace stores and serves, and what consent is derived from. The
document has schema ``skep.label/v1``. Fields that came later have defaults, so that labels stored
by older versions open; fields that come later still are kept and written back.

*Cannot* is said of what people ask about (:data:`QUESTIONS`) and nothing in the label points to.
The label is an upper bound, so what it lacks is ruled out; except where it does not tell
everything, because code outside it goes on (:data:`_OPEN`). Then nothing is said to be impossible.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from skep.bytecode.analysis.document import Document, Part
from skep.bytecode.analysis.errors import MalformedReport
from skep.bytecode.analysis.growth import Granted, granted
from skep.bytecode.analysis.report import AnalysisReport, Combination, Evidence, Permission
from skep.bytecode.analysis.report_needs import Requirements
from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.bytecode.analysis.texts import confidence_rank, severity_rank
from skep.hooks.verdicts import scope_of_type
from skep.versions import KernelVersion

SCHEMA = "skep.label/v1"

_ORDER = {permission: index for index, permission in enumerate(PERMISSIONS)}
_MOST_FIELDS = 12
_MOST_REASONS = 2
_IN_EVERY_KERNEL = frozenset(
    {
        "CONFIG_BPF_SYSCALL",
        "CONFIG_BPF_JIT",
        "CONFIG_BPF_EVENTS",
        "CONFIG_CGROUP_BPF",
        "CONFIG_CGROUPS",
        "CONFIG_DEBUG_INFO_BTF",  # needs_btf says it
        "CONFIG_NET",
        "CONFIG_PERF_EVENTS",
    }
)
# Permissions by which code that the label does not cover goes on.
_OPEN = frozenset({"exec.tail_call", "exec.replace", "bpf.syscall", "unknown"})


class Question(NamedTuple):
    """Something people ask of a program: can it do this?

    Attributes:
        verb: ``change``.
        what: ``packets``.
        means: permissions that each answer yes; the first names the question.
    """

    verb: str
    what: str
    means: tuple[str, ...]


_OF_TRAFFIC = (
    Question("drop", "packets", ("net.drop", "net.block_socket")),
    Question("change", "packets", ("net.modify", "net.resize", "net.encap", "net.rewrite_addr")),
    Question("redirect", "packets", ("net.redirect", "net.reflect", "net.mirror", "net.steer")),
    Question("read", "kernel memory", ("kernel.read_memory",)),
)
_OF_MACHINES = (
    Question("read", "process memory", ("user.read_memory",)),
    Question("change", "process memory", ("user.write_memory",)),
    Question("change", "kernel memory", ("kernel.write_memory",)),
    Question("kill", "processes", ("proc.signal",)),
    Question(
        "make system calls fail",
        "",
        ("kernel.override_return", "kernel.modify_return", "lsm.enforce"),
    ),
)
QUESTIONS: Mapping[str, Question] = {each.means[0]: each for each in (*_OF_TRAFFIC, *_OF_MACHINES)}
"""What people ask about, by the permission that names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEvidence(Part):
    """Where a permission shows best; the report has every place.

    Attributes:
        object: title of the object.
        program: entry whose code it is in; empty if it is about the object as a whole.
        what: a few words.
        function: function the instruction is in.
        slot: instruction slot in that function.
        file: source file, empty without line information.
        line: source line, 1-based.
    """

    object: str
    program: str = ""
    what: str = ""
    function: str = ""
    slot: int | None = None
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPermission(Part):
    """Something the objects may do, once for each scope.

    Attributes:
        id: row of the taxonomy.
        text: what people read, without confidence and scope.
        severity: the highest of all objects.
        confidence: the surest of all objects: ``declared`` or ``possible``.
        scope: as of the permissions of reports.
        programs: entries that have it.
        evidence: where it shows best; ``None`` if the label is older.
        evidence_count: how many places there are.
        fields: of structures of the kernel that it reads or writes; at most 12.
        fields_count: how many there are at least.
    """

    id: str
    text: str
    severity: str
    confidence: str
    scope: str = ""
    programs: tuple[str, ...] = ()
    evidence: LabelEvidence | None = None
    evidence_count: int = 0
    fields: tuple[str, ...] = ()
    fields_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelProgram(Part):
    """An entry.

    Attributes:
        name: function name.
        program_type: kernel name without prefix, ``None`` if nobody said.
        object: title of the object it is in.
        instructions: slots of all functions it reaches.
    """

    name: str
    program_type: str | None = None
    object: str = ""
    instructions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelLicence(Part):
    """A licence string the kernel looks at, as some objects have it.

    Attributes:
        kernel_licence: as written, ``None`` without one.
        state: its class for the kernel: ``compatible``, ``not compatible`` or ``undeclared``.
        needs_gpl: something in the objects needs a compatible one.
        because: what needs it: helpers, program types, kernel functions.
        would_load: as far as the licence goes; ``None`` if undeclared and needed.
    """

    kernel_licence: str | None
    state: str
    needs_gpl: bool = False
    because: tuple[str, ...] = ()
    would_load: bool | None = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Part):
    """What is shown of the reports of a package's objects.

    Attributes:
        permissions: most severe first.
        programs: in the order of objects and reports.
        oldest_kernel: that has what every object needs; ``0.0`` without objects.
        kernel_licences: the strings; empty for an object without one.
        gpl_compatible: every object's is.
        instructions: of all default programs.
        map_bytes: of all maps, without the part that depends on the number of CPUs.
        map_bytes_per_cpu: for each possible CPU.
        taxonomy: version of the permissions table; 0 if the label is older than this field.
        cannot: keys of :data:`QUESTIONS` that are answered no.
        combinations: permissions that mean more together.
        kernel_reasons: why no older kernel will do, in a few words each.
        newest_kernel: that has what every object needs; ``None`` if nothing of it is known to be
            gone.
        newest_reason: what later kernels lack.
        refused: why no kernel loads it; empty if nothing speaks against it.
        needs_btf: the kernel's types must be there.
        kernel_options: that not every distribution sets.
        licences: each kind of licence fact once.
    """

    permissions: tuple[LabelPermission, ...]
    programs: tuple[LabelProgram, ...]
    oldest_kernel: str
    kernel_licences: tuple[str, ...]
    gpl_compatible: bool
    instructions: int
    map_bytes: int
    map_bytes_per_cpu: int
    taxonomy: int = 0
    cannot: tuple[str, ...] = ()
    combinations: tuple[Combination, ...] = ()
    kernel_reasons: tuple[str, ...] = ()
    newest_kernel: str | None = None
    newest_reason: str = ""
    refused: str = ""
    needs_btf: bool = False
    kernel_options: tuple[str, ...] = ()
    licences: tuple[LabelLicence, ...] = ()

    @property
    def granted(self) -> tuple[Granted, ...]:
        """The permissions a person agrees to with this label."""
        return granted(self.permissions)

    def to_document(self) -> Document:
        """The JSON-able form, schema ``skep.label/v1``."""
        return {"schema": SCHEMA, **Part.to_document(self)}

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read a label of any version 1.

        Raises:
            MalformedReport: for another schema, a missing field or a wrong type.
        """
        schema = document.get("schema") if isinstance(document, Mapping) else None
        if not isinstance(document, Mapping) or schema != SCHEMA:
            raise MalformedReport(
                f"expected a label with schema {SCHEMA!r}, got {str(schema)[:60]!a}",
                hint="it may come from a newer version of Skep",
            )
        rest = {name: value for name, value in document.items() if name != "schema"}
        return super(Label, cls).from_document(rest)


def label_of(reports: Mapping[str, AnalysisReport]) -> Label:
    """The label of some objects, by title: the one place where reports are aggregated."""
    permissions = _permissions(reports)
    needs = [report.requirements for report in reports.values()]
    licences = [report.licence for report in reports.values()]
    costs = [report.cost for report in reports.values()]
    programs = tuple(
        LabelProgram(
            name=each.name,
            program_type=each.program_type,
            object=title,
            instructions=each.instructions,
        )
        for title, report in reports.items()
        for each in report.programs
    )
    oldest = max(needs, key=lambda each: KernelVersion.parse(each.oldest_kernel), default=None)
    newest, newest_reason = _newest(needs)
    return Label(
        permissions=permissions,
        programs=programs,
        oldest_kernel=oldest.oldest_kernel if oldest is not None else "0.0",
        kernel_licences=tuple(sorted({each.kernel_licence or "" for each in licences})),
        gpl_compatible=all(each.gpl_compatible is True for each in licences),
        instructions=sum(each.instructions for each in costs),
        map_bytes=sum(each.map_bytes for each in costs),
        map_bytes_per_cpu=sum(each.map_bytes_per_cpu for each in costs),
        taxonomy=max((report.taxonomy for report in reports.values()), default=0),
        cannot=_cannot(permissions, [each.program_type for each in programs]),
        combinations=tuple(
            {each.id: each for report in reports.values() for each in report.combinations}.values()
        ),
        kernel_reasons=_reasons(oldest) if oldest is not None else (),
        newest_kernel=newest,
        newest_reason=newest_reason,
        refused=_refused(needs),
        needs_btf=any(each.needs_btf == "yes" for each in needs),
        kernel_options=_unique(
            need.option
            for each in needs
            for need in each.configuration
            if need.option not in _IN_EVERY_KERNEL
        ),
        licences=_licences(reports.values()),
    )


def _permissions(reports: Mapping[str, AnalysisReport]) -> tuple[LabelPermission, ...]:
    groups: dict[tuple[str, str], list[tuple[str, Permission]]] = {}
    for title, report in reports.items():
        for each in report.permissions:
            groups.setdefault((each.id, each.scope), []).append((title, each))
    merged = granted(each for report in reports.values() for each in report.permissions)
    return tuple(
        sorted(
            (_permission(each, groups[each.id, each.scope]) for each in merged),
            key=lambda each: (
                -severity_rank(each.severity),
                _ORDER.get(each.id, -1),
                each.id,
                each.scope,
            ),
        )
    )


def _permission(merged: Granted, stated: list[tuple[str, Permission]]) -> LabelPermission:
    title, surest = max(stated, key=lambda pair: confidence_rank(pair[1].confidence))
    fields = _unique(name for _, each in stated for name in each.fields)
    return LabelPermission(
        id=merged.id,
        text=surest.text,
        severity=merged.severity,
        confidence=merged.confidence,
        scope=merged.scope,
        programs=_unique(name for _, each in stated for name in each.programs),
        evidence=_evidence(title, surest.evidence[0]) if surest.evidence else None,
        evidence_count=sum(each.evidence_count for _, each in stated),
        fields=fields[:_MOST_FIELDS],
        fields_count=max(len(fields), *(each.fields_count for _, each in stated)),
    )


def _evidence(title: str, evidence: Evidence) -> LabelEvidence:
    return LabelEvidence(
        object=title,
        program=evidence.program,
        what=evidence.what,
        function=evidence.function,
        slot=evidence.slot,
        file=evidence.file,
        line=evidence.line,
    )


def _cannot(
    permissions: Iterable[LabelPermission], program_types: Iterable[str | None]
) -> tuple[str, ...]:
    there = {each.id for each in permissions}
    types = list(program_types)
    if there & _OPEN or not types:
        return ()
    asked: dict[str, None] = {}
    for each in types:
        questions = _OF_TRAFFIC if scope_of_type(each) else _OF_MACHINES
        asked |= {question.means[0]: None for question in questions}
    return tuple(name for name in asked if not there.intersection(QUESTIONS[name].means))


def _reasons(needs: Requirements) -> tuple[str, ...]:
    return _unique(each.what for each in needs.reasons if each.kernel == needs.oldest_kernel)[
        :_MOST_REASONS
    ]


def _newest(found: Iterable[Requirements]) -> tuple[str | None, str]:
    """The newest kernel that has what all need, and what later ones lack."""
    limits = {
        each.newest_kernel: each.newest_reasons[0].what if each.newest_reasons else ""
        for each in found
        if each.newest_kernel is not None
    }
    newest = min(limits, key=KernelVersion.parse, default=None)
    return newest, limits.get(newest or "", "")


def _refused(found: Iterable[Requirements]) -> str:
    for needs in found:
        for each in needs.refused:
            program = f"{each.program}: " if each.program else ""
            hint = f"; {each.hint}" if each.hint else ""
            return f"{program}{each.what}{hint}"
    return ""


def _licences(reports: Iterable[AnalysisReport]) -> tuple[LabelLicence, ...]:
    found: list[LabelLicence] = []
    for report in reports:
        facts = report.licence
        licence = LabelLicence(
            kernel_licence=facts.kernel_licence,
            state=facts.state,
            needs_gpl=facts.needs_gpl,
            because=(*(each.name for each in facts.gpl_only_helpers), *facts.gpl_only_reasons),
            would_load=facts.would_load,
        )
        if licence not in found:
            found.append(licence)
    return tuple(found)


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
