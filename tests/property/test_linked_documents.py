"""Laws of the documents of linked deployments: what is written is read, nothing else crashes."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.compiled import PROGRAMS, bundled_plan
from tests.builders.deployments import DIGEST, deployment
from tests.builders.kept import FULL
from tests.builders.kernels import kernel, moved_kernel
from tests.builders.objects import fixture, fixture_names

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import (
    FunctionType,
    KernelName,
    LinePlace,
    LoadPlan,
    MapPlan,
    Poison,
    ProgramPlan,
)
from skep.bytecode.linking.settings import LinkSettings
from skep.chains.deployment import AttachmentSpec, Deployment
from skep.chains.planning import LinkedDeployment, MapSetting
from skep.errors import Malformed, SkepError
from skep.hooks.target import HookTarget
from skep.node.store.linked_document import read_linked, write_linked

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
u32 = st.integers(0, (1 << 32) - 1)
u64 = st.integers(0, (1 << 64) - 1)
octets = st.binary(max_size=12)
pairs = st.lists(st.tuples(octets, octets), max_size=3).map(tuple)


def some(strategy: "st.SearchStrategy[object]") -> "st.SearchStrategy[tuple[object, ...]]":
    return st.lists(strategy, max_size=3).map(tuple)


deployments = st.builds(
    Deployment,
    name=st.from_regex(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?", fullmatch=True),
    reference=texts,
    digest=st.sampled_from([DIGEST, "sha512:" + "0f" * 64]),
    attachments=st.tuples(
        st.builds(AttachmentSpec, texts, st.builds(HookTarget, texts, texts, texts))
    ),
    order=st.integers(0, 1_000_000_000),
    run_on=some(texts),
    settings=some(st.tuples(texts, texts)),
    policy=st.sampled_from(["require-key", "insecure-accept-all"]),
    signer=texts,
    maps=some(texts),
)


def maps_with(inner: "st.SearchStrategy[MapPlan | None]") -> "st.SearchStrategy[MapPlan]":
    return st.builds(
        MapPlan,
        name=texts,
        map_type=u32,
        key_size=u32,
        value_size=u32,
        max_entries=u32,
        flags=u32,
        pinned_by_name=st.booleans(),
        contents=pairs,
        frozen=st.booleans(),
        extra=u64,
        key_type_id=u32,
        value_type_id=u32,
        needs_types=st.booleans(),
        inner=inner,
        map_entries=some(st.tuples(u32, u32)),
        program_entries=some(st.tuples(u32, texts)),
        layout=texts,
    )


flat = maps_with(st.none())
maps = st.one_of(flat, maps_with(flat), maps_with(maps_with(flat)))
instructions = st.builds(
    Instruction,
    st.integers(0, 255),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(-(1 << 15), (1 << 15) - 1),
    st.integers(-(1 << 31), (1 << 31) - 1),
)


@st.composite
def programs(draw: st.DrawFn) -> ProgramPlan:
    code = tuple(draw(st.lists(instructions, min_size=1, max_size=8)))
    slot = st.integers(0, len(code) - 1)
    kinds = st.sampled_from(["function", "variable", "symbol"])
    return ProgramPlan(
        name=draw(texts),
        program_type=draw(u32),
        attach_type=draw(u32),
        flags=draw(u32),
        licence=draw(texts),
        instructions=code,
        subprograms=tuple(draw(st.lists(slot, max_size=3))),
        poisons=tuple(draw(st.lists(st.builds(Poison, slot, texts, texts), max_size=2))),
        functions=tuple(draw(st.lists(st.builds(FunctionType, slot, u32), max_size=2))),
        lines=tuple(draw(st.lists(st.builds(LinePlace, slot, u32, u32, u32), max_size=2))),
        needs_types=draw(st.booleans()),
        attach_btf_id=draw(u32),
        names=tuple(draw(st.lists(texts, max_size=2))),
        kernel_names=tuple(
            draw(
                st.lists(st.builds(KernelName, slot, kinds, texts, u32, st.booleans()), max_size=2)
            )
        ),
        exception_callback=draw(texts),
    )


linked = st.builds(
    LinkedDeployment,
    deployment=deployments,
    program=programs(),
    maps=some(maps),
    settings=some(st.builds(MapSetting, texts, pairs, st.booleans())),
    types=st.none() | octets,
)


@settings(deadline=None, max_examples=150)
@given(linked)
def test_what_is_written_is_read_and_written_alike(value: LinkedDeployment) -> None:
    data = write_linked(value)
    assert read_linked(data) == value
    assert write_linked(read_linked(data)) == data


@settings(deadline=None, max_examples=60)
@given(linked, linked)
def test_only_equal_deployments_have_equal_documents(
    one: LinkedDeployment, other: LinkedDeployment
) -> None:
    assert (write_linked(one) == write_linked(other)) == (one == other)


DATA = write_linked(FULL)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_mutated_document_is_read_or_malformed(data: st.DataObject) -> None:
    changed = bytearray(DATA)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(changed) - 1))
        words = data.draw(
            st.sampled_from(
                [b"", b"0", b"-", b"9" * 30, b"[", b"]", b"{", b"}", b'"', b"null", b","]
            )
        )
        changed[place : place + data.draw(st.integers(0, 4))] = words
    with suppress(Malformed):
        read_linked(bytes(changed))


def _check_all_of(plan: LoadPlan) -> None:
    for program in plan.programs:
        value = LinkedDeployment(deployment(), program, plan.maps, (), plan.btf)
        assert read_linked(write_linked(value)) == value


@pytest.mark.parametrize("name", sorted(path.name for path in PROGRAMS.iterdir() if path.is_dir()))
def test_every_bundled_program_is_kept_as_it_was_linked(name: str) -> None:
    plan = bundled_plan(name)
    assert plan.programs
    _check_all_of(plan)


def _plans() -> Iterator[LoadPlan]:
    """Every program of every fixture, linked alone, as a node does; some need another kernel."""
    types = kernel(moved_kernel())
    for name in fixture_names():
        found = fixture(name)
        for program in found.programs:
            wanted = frozenset({program.name})
            licence = found.licence or "GPL"
            with suppress(SkepError):
                yield link(found, types, LinkSettings(licence=licence, programs=wanted))


def test_every_fixture_is_kept_as_it_was_linked() -> None:
    plans = list(_plans())
    for plan in plans:
        _check_all_of(plan)
    programs = [program for plan in plans for program in plan.programs]
    assert len(programs) > 190
    assert any(plan.btf for plan in plans)
    assert any(each.inner for plan in plans for each in plan.maps)
    for name in ("functions", "lines", "poisons"):
        assert any(getattr(program, name) for program in programs), name
