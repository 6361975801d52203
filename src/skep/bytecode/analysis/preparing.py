"""From an object's entries to analysed programs, on all kernels or on an assumed one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from skep.bytecode.analysis.assumptions import Assumptions, base_assumptions
from skep.bytecode.analysis.contexts import ContextLayout, layout_of
from skep.bytecode.analysis.control_flow import Flows, FunctionFlow, graph_of, restricted
from skep.bytecode.analysis.data_flow import Budget, DataFlow
from skep.bytecode.analysis.errors import TooComplex
from skep.bytecode.analysis.field_names import FieldNames
from skep.bytecode.analysis.flow_facts import FunctionFacts, Key
from skep.bytecode.analysis.programs import (
    AnalysedProgram,
    Call,
    calls_of,
    externs_of,
    references_of,
)
from skep.bytecode.isa.first_kernels import PROGRAM_TYPES
from skep.bytecode.objectfile.exception_callbacks import exception_callbacks
from skep.bytecode.objectfile.model import MapSpec, ObjectFile, ProgramSpec
from skep.bytecode.objectfile.sections import attach_types_of, usual_attach_type

_MOST_FUNCTIONS = 20_000
_MOST_INSTRUCTIONS = 4_000_000
_MOST_ROUNDS = 16  # functions without facts that lead to others, one after another


class Preparation:
    """The programs of one object, with flows that are made once."""

    def __init__(
        self,
        object_file: ObjectFile,
        program_types: Mapping[str, str] | None,
        *,
        data_flow: bool,
        known: Assumptions | None = None,
        fields: FieldNames | None = None,
    ) -> None:
        """Prepare the entries; see :func:`skep.bytecode.analysis.analysing.analyse`.

        Args:
            known: what is settled about the object; code that it leaves unreached is dropped.
                ``None`` if any kernel and any configuration is meant.
            fields: names of fields, if the object's own records do not tell them.

        Raises:
            TooComplex: if programs share so much code that they reach more than 20,000 functions
                or 4,000,000 instructions together, each counted once per program. The most seen in
                real objects are 144 and 128,369.
        """
        self._object_file = object_file
        self._data_flow = data_flow
        self._externs = externs_of(object_file)
        self._maps = {each.name: each for each in object_file.maps}
        self._fields = FieldNames(object_file) if fields is None else fields
        self._handlers = exception_callbacks(object_file)
        self.flows = Flows(object_file.functions, self._handlers)
        self.assumptions = base_assumptions(object_file) if known is None else known
        self._check_work()
        interpreters = _Interpreters(self.flows, self.assumptions, self._maps)
        self.programs = [
            self._prepare(spec, (program_types or {}).get(spec.name), interpreters)
            for spec in object_file.programs
        ]
        if known is not None and data_flow:
            self.programs = [self._assumed(each, interpreters) for each in self.programs]

    def _check_work(self) -> None:
        # Every program is analysed with all it reaches: 20,000 programs of two instructions that
        # call one another in a chain would take hours.
        functions = instructions = 0
        for spec in self._object_file.programs:
            reached = self.flows.graph(_function_of(spec, self.flows)).functions
            functions += len(reached)
            instructions += sum(len(flow.function.instructions) for flow in reached)
            if functions > _MOST_FUNCTIONS or instructions > _MOST_INSTRUCTIONS:
                raise TooComplex(
                    f"expected programs that reach at most {_MOST_FUNCTIONS} functions and "
                    f"{_MOST_INSTRUCTIONS} instructions together, got more by program "
                    f"{spec.name!r}",
                    hint="split the object: its programs share too much code to be analysed",
                )

    def _prepare(
        self, spec: ProgramSpec, stated: str | None, interpreters: "_Interpreters"
    ) -> AnalysedProgram:
        if stated == spec.program_type:
            stated = None  # the section says the same: nobody has to be believed
        if stated is not None:
            is_of_type = spec.attach_type in attach_types_of(stated)
            attach_type = spec.attach_type if is_of_type else usual_attach_type(stated)
            spec = replace(spec, program_type=stated, attach_type=attach_type)
        name = _function_of(spec, self.flows)
        layout = layout_of(spec, is_known_type=spec.program_type in PROGRAM_TYPES)
        graph = self.flows.graph(name)
        calls, missing = self._calls(graph.functions, graph.missing)
        facts = entry = None
        if self._data_flow and graph.functions:
            facts = interpreters.of(layout).program(name)
            entry = next(iter(facts))
        return AnalysedProgram(
            spec=spec,
            type_source="section" if stated is None else "stated",
            layout=layout,
            graph=graph,
            calls=calls,
            missing=missing,
            facts=facts,
            entry=entry,
            references=tuple(each for flow in graph.functions for each in references_of(flow)),
            maps=self._maps,
            externs=self._externs,
            fields=self._fields,
            holds_pointers=bool(self.assumptions.pointer_maps),
            exception_callback=self._handlers.get(name),
        )

    def _calls(
        self, functions: Sequence[FunctionFlow], unresolved: Sequence[str]
    ) -> tuple[tuple[Call, ...], tuple[str, ...]]:
        missing: dict[str, None] = dict.fromkeys(unresolved)
        calls = [call for flow in functions for call in calls_of(flow, self._externs, missing)]
        return tuple(calls), tuple(missing)

    def asks_for_presence(self, program: AnalysedProgram) -> bool:
        """Whether the program's code depends on what a kernel has, in a way we can follow."""
        guarded = self.assumptions.guarded
        return program.is_resolved and any(
            flow.function.name in guarded for flow in program.graph.functions
        )

    @staticmethod
    def reads_constants(program: AnalysedProgram) -> bool:
        """Whether the program's code depends on read-only data, in a way we can follow."""
        return program.is_resolved and any(
            facts.reads_constants for _, facts in program.function_facts()
        )

    def assuming(
        self, programs: Sequence[AnalysedProgram], assumptions: Assumptions
    ) -> list[AnalysedProgram]:
        """``programs`` with the code left that values let control reach under ``assumptions``.

        Those that data flow cannot resolve stay as they are.
        """
        interpreters = _Interpreters(self.flows, assumptions, self._maps)
        return [self._assumed(program, interpreters) for program in programs]

    def _assumed(self, program: AnalysedProgram, interpreters: "_Interpreters") -> AnalysedProgram:
        if not program.graph.functions:
            return program
        name = program.graph.functions[0].function.name
        facts = interpreters.of(program.layout).program(name)
        if not all(each.is_resolved for each in facts.values()):
            return program
        # Facts of functions that could not be followed take anything as arguments: they count
        # only where such a function is left.
        left = _with_callees(facts, next(iter(facts)))
        for rounds_left in range(_MOST_ROUNDS, -1, -1):
            graph = graph_of(name, _left_of(program.graph.functions, left).get)
            kept = {flow.function.name for flow in graph.functions}
            unknown = kept - {function for function, _ in left}
            if not unknown:
                break
            for key in facts:
                if key[0] in unknown or rounds_left == 1:
                    left |= _with_callees(facts, key)
        calls, missing = self._calls(graph.functions, program.graph.missing)
        return replace(
            program,
            graph=graph,
            calls=calls,
            missing=missing,
            facts={key: each for key, each in left.items() if key[0] in kept},
            references=tuple(each for flow in graph.functions for each in references_of(flow)),
        )


def _with_callees(facts: Mapping[Key, FunctionFacts], key: Key) -> dict[Key, FunctionFacts]:
    """Facts of a call and of all calls it leads to, itself first."""
    found: dict[Key, FunctionFacts] = {}
    waiting = [key]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found[key] = facts[key]
            waiting += facts[key].callees
    return found


def _left_of(
    functions: Iterable[FunctionFlow], facts: Mapping[Key, FunctionFacts]
) -> dict[str, FunctionFlow]:
    """Functions with the code that values let control reach."""
    reached: dict[str, set[int]] = {}
    stopped: dict[str, set[int]] = {}
    passed: dict[str, set[int]] = {}
    for (function, _), each in facts.items():
        reached.setdefault(function, set()).update(each.blocks)
        stopped.setdefault(function, set()).update(each.stopped)
        passed.setdefault(function, set()).update(each.passed)
    found = {}
    for flow in functions:
        name = flow.function.name
        stops = stopped.get(name, set()) - passed.get(name, set())
        found[name] = restricted(flow, reached.get(name, set()), stops)
    return found


class _Interpreters:
    """One interpreter for each kind of context; they share what they may spend."""

    def __init__(self, flows: Flows, assumptions: Assumptions, maps: Mapping[str, MapSpec]) -> None:
        self._flows = flows
        self._maps = maps
        self._assumptions = assumptions
        self._budget = Budget()
        self._known: dict[str, DataFlow] = {}

    def of(self, layout: ContextLayout) -> DataFlow:
        """The interpreter of programs with this context."""
        found = self._known.get(layout.name)
        if found is None:
            found = DataFlow(self._flows, layout, self._assumptions, self._budget, self._maps)
            self._known[layout.name] = found
        return found


def _function_of(spec: ProgramSpec, flows: Flows) -> str:
    """Name of the program's function; qualified by the section if names collide."""
    for name in (spec.name, f"{spec.section}:{spec.name}"):
        if flows.section_of(name) == spec.section:
            return name
    return spec.name
