"""Objects that are small to store and long to analyse, one attack each."""

import pytest
from tests.builders.elf import EXIT, LOCAL, RETURN_2, licensed, local_call

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.contexts import layout_of
from skep.bytecode.analysis.control_flow import Flows
from skep.bytecode.analysis.data_flow import Budget, DataFlow
from skep.bytecode.analysis.errors import TooComplex
from skep.bytecode.objectfile.model import ProgramSpec
from skep.bytecode.objectfile.reading import read_object


def _chain(programs: int) -> bytes:
    """Every program calls the next one, so the first ones reach nearly everything."""
    builder = licensed()
    code = [local_call(1), EXIT] * (programs - 1)
    number = builder.code("tc", [*code, *RETURN_2])
    for place in range(programs):
        builder.symbol(f"program_{place}", number, 16 * place)
    return builder.build()


def test_programs_that_share_nearly_everything_are_refused_before_they_are_analysed() -> None:
    with pytest.raises(TooComplex, match="20000 functions") as caught:
        analyse(read_object(_chain(250)))
    assert caught.value.hint


def test_programs_that_share_much_are_analysed() -> None:
    assert len(analyse(read_object(_chain(40))).programs) == 40


def test_a_long_function_that_everybody_calls_counts_once_for_each() -> None:
    builder = licensed()
    text = builder.code(".text", [*RETURN_2[:1] * 30_000, EXIT])
    shared = builder.symbol("shared", text, binding=LOCAL)
    code = builder.code("xdp", [local_call(), EXIT] * 150)
    for place in range(150):
        builder.symbol(f"program_{place}", code, 16 * place)
        builder.relocate(code, 16 * place, shared, 10)
    with pytest.raises(TooComplex, match="4000000 instructions"):
        analyse(read_object(builder.build()))


def test_steps_are_shared_by_all_kinds_of_programs() -> None:
    found = read_object(_chain(3))
    flows = Flows(found.functions)
    budget = Budget(steps=5)
    for program_type, is_resolved in (("SCHED_CLS", True), ("XDP", False)):
        layout = layout_of(ProgramSpec("main", "", program_type), is_known_type=True)
        facts = DataFlow(flows, layout, budget=budget).program("program_1")
        assert all(each.is_resolved for each in facts.values()) is is_resolved


def test_many_functions_of_one_name_are_told_apart() -> None:
    builder = licensed()
    code = builder.code("xdp", list(RETURN_2) * 300)
    for place in range(300):
        builder.symbol("same", code, 16 * place, binding=LOCAL)
    report = analyse(read_object(builder.build()))
    assert len({program.functions for program in report.programs}) == 300
