"""What the kernel is told about types and source lines of programs."""

from dataclasses import replace

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.objects import fixture

from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.layout import Layout, lay_out, needed_functions
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.linking.types import TypeFacts
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.records import SourceLines


def layout(object_file: ObjectFile, entry: str) -> Layout:
    functions = {each.name: each for each in object_file.functions}
    return lay_out(needed_functions(entry, functions))


def test_every_function_of_a_program_has_its_type_where_it_begins() -> None:
    object_file = fixture("subprograms")
    made = layout(object_file, "second")
    found = TypeFacts(object_file).functions(made)
    assert [each.slot for each in found] == list(made.starts.values())
    assert object_file.types is not None
    names = [object_file.types.type(each.type_id).name for each in found]
    assert names == [each.name for each in made.functions]


def test_one_function_without_type_leaves_the_program_without() -> None:
    object_file = fixture("subprograms")
    functions = tuple(
        replace(each, type_id=0) if each.name == "inner" else each for each in object_file.functions
    )
    changed = replace(object_file, functions=functions)
    assert TypeFacts(changed).functions(layout(changed, "second")) == ()


def test_a_type_that_is_no_function_is_not_told() -> None:
    object_file = fixture("pass")
    (function,) = object_file.functions
    changed = replace(object_file, functions=(replace(function, type_id=1),))
    assert TypeFacts(changed).functions(layout(changed, function.name)) == ()


def test_lines_follow_the_functions_to_where_they_are_laid_out() -> None:
    object_file = fixture("subprograms")
    made = layout(object_file, "second")
    code = [each for function in made.functions for each in function.instructions]
    lines = TypeFacts(object_file).lines(made, code)
    slots = [line.slot for line in lines]
    assert slots == sorted(set(slots))
    assert set(made.starts.values()) <= set(slots)
    assert all(code[slot].opcode for slot in slots)
    assert object_file.types is not None
    assert {object_file.types.text(line.file).rpartition("/")[2] for line in lines} == {
        "subprograms.bpf.c"
    }


def test_an_object_without_types_says_nothing() -> None:
    object_file = replace(fixture("subprograms"), types=None)
    facts = TypeFacts(object_file)
    made = layout(object_file, "second")
    assert facts.btf is None
    assert facts.functions(made) == ()
    assert facts.lines(made, [each for f in made.functions for each in f.instructions]) == ()
    assert facts.section_id(".rodata") == 0


def test_types_that_make_no_sense_are_kept_from_the_kernel() -> None:
    builder = BtfBuilder()
    builder.raw(Kind.VAR, "v", value=900, tail=[1])  # refers to nothing
    types = read_btf(builder.build(), "little")
    facts = TypeFacts(replace(fixture("pass"), types=types))
    assert facts.btf is None


def test_sections_of_variables_have_their_type() -> None:
    object_file = fixture("data")
    facts = TypeFacts(object_file)
    assert facts.btf is not None
    prepared = read_btf(facts.btf, "little")
    for spec in object_file.maps:
        if spec.origin == "data" and facts.section_id(spec.name):
            found = prepared.type(facts.section_id(spec.name))
            assert (found.kind, found.size) == (Kind.DATASEC, spec.value_size)
    assert facts.section_id(".never") == 0


def test_lines_whose_text_is_not_there_are_kept_from_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    object_file = fixture("pass")
    made = layout(object_file, object_file.programs[0].name)
    code = list(made.functions[0].instructions)
    (name,) = made.starts
    hostile = [(name, 0, 2**31, 1, 1 << 10), (name, 1, 1, 1, 2 << 10)]
    monkeypatch.setattr(SourceLines, "records", lambda _self: iter(hostile))
    assert TypeFacts(object_file).lines(made, code) == ()
    fitting = [(name, 0, 1, 1, 1 << 10), (name, 9_999, 1, 1, 2 << 10), (name, -5, 1, 1, 1)]
    monkeypatch.setattr(SourceLines, "records", lambda _self: iter(fitting))
    assert TypeFacts(object_file).lines(made, code) == ()  # the first is before the function
    monkeypatch.setattr(SourceLines, "records", lambda _self: iter(fitting[:2]))
    assert [each.slot for each in TypeFacts(object_file).lines(made, code)] == [0]


def test_a_function_that_is_declared_only_has_no_type_to_tell() -> None:
    builder = BtfBuilder()
    extern, beyond = builder.function("far", linkage=2), 4_000
    types = read_btf(builder.build(), "little")
    object_file = fixture("pass")
    (function,) = object_file.functions
    for type_id in (extern, beyond):
        changed = replace(object_file, types=types, functions=(replace(function, type_id=type_id),))
        assert TypeFacts(changed).functions(layout(changed, function.name)) == ()


@pytest.mark.parametrize(
    ("name", "program", "maps", "needs"),
    [
        ("value_fields", "counts", {"guards", "timers", "notes"}, False),
        ("value_fields", "waits", {"guards", "timers", "notes"}, True),
        ("tail_call_below", "goes", set(), True),
        ("subprograms", "second", set(), False),
        ("callback", "walk", set(), True),
    ],
)
def test_types_are_needed_where_the_kernel_insists(
    name: str, program: str, maps: set[str], *, needs: bool
) -> None:
    object_file = fixture(name)
    settings = LinkSettings(programs=frozenset({program}))
    plan = link(object_file, None, settings)
    assert {each.name for each in plan.maps if each.needs_types} == maps
    assert plan.program(program).needs_types == needs
