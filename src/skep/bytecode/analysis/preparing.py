"""From an object's entries to :class:`Program` values, on all kernels or on an assumed one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from skep.bytecode.analysis.assumptions import Assumptions, base_assumptions
from skep.bytecode.analysis.contexts import ContextLayout, layout_of
from skep.bytecode.analysis.control_flow import Flows, FunctionFlow, graph_of, restricted
from skep.bytecode.analysis.data_flow import DataFlow
from skep.bytecode.analysis.programs import Call, Program, calls_of, externs_of, references_of
from skep.bytecode.isa.first_kernels import PROGRAM_TYPES
from skep.bytecode.objectfile.model import Function, ObjectFile, ProgramSpec
from skep.bytecode.objectfile.sections import usual_attach_type


class Preparation:
    """The programs of one object, with flows that are made once."""

    def __init__(
        self, object_file: ObjectFile, program_types: Mapping[str, str] | None, *, data_flow: bool
    ) -> None:
        """Prepare the entries; see :func:`skep.bytecode.analysis.analysing.analyse`."""
        self._object_file = object_file
        self._data_flow = data_flow
        self._externs = externs_of(object_file)
        self._maps = {each.name: each for each in object_file.maps}
        self.flows = Flows(object_file.functions)
        self.assumptions = base_assumptions(object_file)
        interpreters: dict[str, DataFlow] = {}
        self.programs = [
            self._prepare(spec, (program_types or {}).get(spec.name), interpreters)
            for spec in object_file.programs
        ]

    def _prepare(
        self, spec: ProgramSpec, stated: str | None, interpreters: dict[str, DataFlow]
    ) -> Program:
        if stated == spec.program_type:
            stated = None  # the section says the same: nobody has to be believed
        if stated is not None:
            spec = replace(spec, program_type=stated, attach_type=usual_attach_type(stated))
        name = _function_of(spec, self._object_file.functions)
        layout = layout_of(spec.program_type, is_known_type=spec.program_type in PROGRAM_TYPES)
        graph = self.flows.graph(name)
        calls, missing = self._calls(graph.functions, graph.missing)
        facts = entry = None
        if self._data_flow and graph.functions:
            facts = self._interpreter(interpreters, layout, self.assumptions).program(name)
            entry = next(iter(facts))
        return Program(
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
        )

    def _calls(
        self, functions: Sequence[FunctionFlow], unresolved: Sequence[str]
    ) -> tuple[tuple[Call, ...], tuple[str, ...]]:
        missing: dict[str, None] = dict.fromkeys(unresolved)
        calls = [call for flow in functions for call in calls_of(flow, self._externs, missing)]
        return tuple(calls), tuple(missing)

    def _interpreter(
        self, known: dict[str, DataFlow], layout: ContextLayout, assumptions: Assumptions
    ) -> DataFlow:
        found = known.get(layout.name)
        if found is None:
            found = known[layout.name] = DataFlow(self.flows, layout, assumptions)
        return found

    def asks_for_presence(self, program: Program) -> bool:
        """Whether the program's code depends on what a kernel has, in a way we can follow."""
        guarded = self.assumptions.guarded
        return program.is_resolved and any(
            flow.function.name in guarded for flow in program.graph.functions
        )

    @staticmethod
    def reads_constants(program: Program) -> bool:
        """Whether the program's code depends on read-only data, in a way we can follow."""
        return program.is_resolved and any(
            facts.reads_constants for _, facts in program.function_facts()
        )

    def assuming(self, programs: Sequence[Program], assumptions: Assumptions) -> list[Program]:
        """``programs`` with the code left that values let control reach under ``assumptions``.

        Those that data flow cannot resolve stay as they are.
        """
        interpreters: dict[str, DataFlow] = {}
        return [self._assumed(program, interpreters, assumptions) for program in programs]

    def _assumed(
        self, program: Program, interpreters: dict[str, DataFlow], assumptions: Assumptions
    ) -> Program:
        if not program.graph.functions:
            return program
        name = program.graph.functions[0].function.name
        facts = self._interpreter(interpreters, program.layout, assumptions).program(name)
        if not all(each.is_resolved for each in facts.values()):
            return program
        reached: dict[str, set[int]] = {}
        for (function, _), each in facts.items():
            reached.setdefault(function, set()).update(each.blocks)
        flows = {
            flow.function.name: restricted(flow, reached.get(flow.function.name, set()))
            for flow in program.graph.functions
        }
        graph = graph_of(name, flows.get)
        kept = {flow.function.name for flow in graph.functions}
        calls, missing = self._calls(graph.functions, program.graph.missing)
        return replace(
            program,
            graph=graph,
            calls=calls,
            missing=missing,
            facts={key: each for key, each in facts.items() if key[0] in kept},
            references=tuple(each for flow in graph.functions for each in references_of(flow)),
        )


def _function_of(spec: ProgramSpec, functions: Sequence[Function]) -> str:
    """Name of the program's function; qualified by the section if names collide."""
    qualified = f"{spec.section}:{spec.name}"
    names = {function.name for function in functions if function.section == spec.section}
    return qualified if qualified in names and spec.name not in names else spec.name
