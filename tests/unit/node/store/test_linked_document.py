"""The document of a linked deployment: everything is in it, and nothing else is read."""

import base64
import copy
import json
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.builders.deployments import linked
from tests.builders.kept import FULL
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import (
    FunctionType,
    KernelName,
    LinePlace,
    MapPlan,
    Poison,
    ProgramPlan,
)
from skep.chains.deployment import AttachmentSpec, Deployment
from skep.chains.planning import LinkedDeployment, MapSetting
from skep.errors import Malformed
from skep.hooks.target import HookTarget
from skep.json_documents import canonical_json
from skep.node.store.linked_document import MalformedLinked, read_linked, write_linked

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "kept"  # never to be edited
NOT_KEPT = {(LinkedDeployment, "label")}
Steps = tuple[str | int, ...]


def document() -> Any:
    return json.loads(write_linked(FULL))


def at(place: Any, steps: Steps) -> Any:
    for step in steps:
        place = place[step]
    return place


def changed(steps: Steps, value: object) -> bytes:
    found = document()
    at(found, steps[:-1])[steps[-1]] = value
    return canonical_json(found)


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """Every value in a document, as the steps that lead to it."""
    if steps:
        yield steps
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*steps, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*steps, index))


PLACES = list(places(document()))
OPTIONAL = {"types", "inner"}


# Whole


def parts(value: object) -> Iterator[object]:
    """Every dataclass and every named tuple in a value."""
    names = [each.name for each in fields(value)] if is_dataclass(value) else ()
    if names or hasattr(value, "_fields"):
        yield value
    inner = [getattr(value, name) for name in names] or (value if isinstance(value, tuple) else ())
    for each in inner:
        yield from parts(each)


def defaults(kind: type) -> dict[str, object]:
    if is_dataclass(kind):
        return {each.name: each.default for each in fields(kind) if each.default is not MISSING}
    return dict(getattr(kind, "_field_defaults", {}))


def test_every_field_of_everything_that_is_kept_has_a_value_in_these_tests() -> None:
    """A field that is new is missed here; then the next test says that the document lacks it."""
    found = list(parts(FULL))
    kinds = {type(each) for each in found}
    assert kinds == {
        LinkedDeployment,
        Deployment,
        AttachmentSpec,
        HookTarget,
        ProgramPlan,
        Instruction,
        Poison,
        FunctionType,
        LinePlace,
        KernelName,
        MapPlan,
        MapSetting,
    }
    for kind in kinds:
        for name, default in defaults(kind).items():
            values = [getattr(each, name) for each in found if type(each) is kind]
            assert (kind, name) in NOT_KEPT or any(value != default for value in values), (
                f"tests/builders/kept.py gives {kind.__name__}.{name} no value"
            )


def test_what_was_written_is_read() -> None:
    assert read_linked(write_linked(FULL)) == FULL


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (LinkedDeployment, ()),
        (Deployment, ("deployment",)),
        (AttachmentSpec, ("deployment", "attachments", 0)),
        (HookTarget, ("deployment", "attachments", 0, "on")),
        (ProgramPlan, ("program",)),
        (Poison, ("program", "poisons", 0)),
        (KernelName, ("program", "kernel_names", 0)),
        (MapPlan, ("maps", 0)),
        (MapPlan, ("maps", 0, "inner")),
        (MapSetting, ("settings", 0)),
    ],
)
def test_keys_are_the_names_of_the_fields(kind: type, steps: Steps) -> None:
    names = getattr(kind, "_fields", None) or [each.name for each in fields(kind)]
    wanted = {name for name in names if (kind, name) not in NOT_KEPT}
    assert set(at(document(), steps)) - {"schema"} == wanted


def test_rows_of_the_kernel_have_a_number_for_each_field() -> None:
    program = document()["program"]
    assert program["functions"][0] == list(FULL.program.functions[0])
    assert program["lines"][0] == list(FULL.program.lines[0])


def test_the_least_there_can_be_is_read() -> None:
    least = linked()
    assert read_linked(write_linked(least)) == least


def test_the_label_is_left_out() -> None:
    labelled = replace(FULL, label=analyse(fixture("pass")))
    assert write_linked(labelled) == write_linked(FULL)
    assert b"label" not in write_linked(labelled)


# Stable


def test_the_bytes_are_canonical() -> None:
    assert write_linked(FULL) == canonical_json(document())
    assert b" " not in write_linked(linked())


def test_instructions_are_their_slots() -> None:
    text = document()["program"]["instructions"]
    assert base64.b64decode(text)[:8] == b"\x18\x51\x00\x00\x01\x00\x00\x00"


# Strict


@pytest.mark.parametrize("steps", [s for s in PLACES if isinstance(s[-1], str)], ids=str)
def test_a_missing_value_is_malformed(steps: Steps) -> None:
    found = document()
    del at(found, steps[:-1])[steps[-1]]
    with pytest.raises(MalformedLinked, match=f"{steps[-1]} is missing"):
        read_linked(canonical_json(found))


@pytest.mark.parametrize("steps", PLACES, ids=str)
def test_a_value_of_another_type_is_malformed(steps: Steps) -> None:
    there = at(document(), steps)
    for value in (None, True, 1, 1.0, "1", [None], {"": None}):
        is_same = type(value) is type(there) and not isinstance(value, list | dict)
        if is_same or (value is None and steps[-1] in OPTIONAL):
            continue
        with pytest.raises(Malformed):
            read_linked(changed(steps, value))


@pytest.mark.parametrize(
    ("steps", "most"),
    [
        (("deployment", "order"), 1_000_000_000),
        (("program", "program_type"), (1 << 32) - 1),
        (("program", "flags"), (1 << 32) - 1),
        (("program", "attach_btf_id"), (1 << 32) - 1),
        (("program", "subprograms", 1), 4),
        (("program", "poisons", 0, "slot"), 4),
        (("program", "functions", 1, 0), 4),
        (("program", "functions", 1, 1), (1 << 32) - 1),
        (("program", "lines", 1, 0), 4),
        (("program", "lines", 1, 3), (1 << 32) - 1),
        (("program", "kernel_names", 0, "slot"), 4),
        (("maps", 0, "key_size"), (1 << 32) - 1),
        (("maps", 0, "extra"), (1 << 64) - 1),
        (("maps", 0, "inner", "flags"), (1 << 32) - 1),
    ],
)
def test_a_number_out_of_range_is_malformed(steps: Steps, most: int) -> None:
    read_linked(changed(steps, most))
    read_linked(changed(steps, 0))
    for value in (most + 1, -1, 10**30):
        with pytest.raises(MalformedLinked, match=r"from 0 to|64 bits"):
            read_linked(changed(steps, value))


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        pytest.param(("schema",), "skep.dev/linked-deployment/3", id="newer"),
        pytest.param(("schema",), "skep.dev/linked-deployment/1", id="older-than-its-fields"),
        pytest.param(("deployment", "attachments"), [], id="no-attachment"),
        pytest.param(
            ("deployment", "attachments"),
            document()["deployment"]["attachments"] * 2,
            id="attachments-of-a-later-version",
        ),
        pytest.param(("types",), "AB==", id="bits-beyond-the-last-byte"),
        pytest.param(("types",), "AAA", id="without-padding"),
        pytest.param(("types",), "AA==AA==", id="padding-inside"),
        pytest.param(("types",), "AA==\n", id="line-end"),
        pytest.param(("types",), "é", id="not-ascii"),
        pytest.param(("program", "instructions"), "", id="no-instructions"),
        pytest.param(("program", "instructions"), "AAAA", id="part-of-an-instruction"),
        pytest.param(("deployment", "name"), "../limit", id="name-that-leads-out"),
        pytest.param(("deployment", "digest"), "sha256:AB", id="no-digest"),
        pytest.param(("deployment", "policy"), "accept", id="unknown-policy"),
        pytest.param(("program", "kernel_names", 0, "kind"), "map", id="unknown-kind"),
        pytest.param(("program", "lines", 0), [0, 1, 2], id="short-row"),
        pytest.param(("program", "lines", 0), [0, 1, 2, 3, 4], id="long-row"),
        pytest.param(("maps", 0, "contents", 0), ["AA=="], id="key-without-value"),
    ],
)
def test_a_value_that_means_nothing_is_malformed(steps: Steps, value: object) -> None:
    with pytest.raises(Malformed):
        read_linked(changed(steps, value))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="nothing-in-it"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"a":' * 100_000, id="deep-objects"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b'{"schema":"\\ud800"}', id="half-a-surrogate-pair"),
        pytest.param(b'{"schema":1,"schema":1}', id="twice"),
        pytest.param(write_linked(FULL) + b"\n}", id="more"),
        pytest.param(write_linked(FULL)[:-1], id="less"),
    ],
)
def test_what_is_no_document_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_linked(data)


def test_maps_in_maps_without_end_are_malformed() -> None:
    found = document()
    one = found["maps"][1]
    for _ in range(100):
        one["inner"] = copy.copy(one)
        one = one["inner"]
    with pytest.raises(Malformed):
        read_linked(canonical_json(found))


def test_fields_it_does_not_know_are_ignored() -> None:
    found = document()
    for steps in [(), *(s for s in PLACES if isinstance(at(found, s), dict))]:
        at(found, steps)["later"] = {"version": [1]}
    assert read_linked(canonical_json(found)) == FULL


# Of earlier versions


def test_a_copy_that_version_1_kept_is_read_and_written_as_this_version_does() -> None:
    kept = (FIXTURES / "linked-deployment-1.json").read_bytes()
    assert read_linked(kept) == FULL
    assert document()["schema"] != json.loads(kept)["schema"]


def test_what_version_1_lacks_or_has_more_is_as_in_this_version() -> None:
    kept = json.loads((FIXTURES / "linked-deployment-1.json").read_bytes())
    kept["deployment"]["later"] = kept["later"] = [1]
    assert read_linked(canonical_json(kept)) == FULL
    for field in ("program", "on"):
        less = {**kept, "deployment": {**kept["deployment"]}}
        del less["deployment"][field]
        with pytest.raises(MalformedLinked, match=f"{field} is missing"):
            read_linked(canonical_json(less))


# What cannot be written


def nested(depth: int) -> MapPlan:
    plan = MapPlan("m", 13, 4, 4, 1)
    for _ in range(depth):
        plan = MapPlan("m", 13, 4, 4, 1, inner=plan)
    return plan


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(replace(FULL, maps=(nested(5000),)), id="endless-maps"),
        pytest.param(replace(FULL, maps=(replace(FULL.maps[0], flags=-1),)), id="negative"),
        pytest.param(
            replace(FULL, deployment=replace(FULL.deployment, reference="\udcff")), id="surrogate"
        ),
        pytest.param(
            replace(FULL, deployment=replace(FULL.deployment, name="No Name")), id="bad-name"
        ),
        pytest.param(
            replace(FULL, deployment=replace(FULL.deployment, attachments=())), id="no-attachment"
        ),
        pytest.param(
            replace(FULL, program=replace(FULL.program, instructions=(Instruction(256),))),
            id="no-opcode",
        ),
        pytest.param(
            replace(FULL, program=replace(FULL.program, instructions=(Instruction(1, 16),))),
            id="no-register",
        ),
        pytest.param(replace(FULL, program=replace(FULL.program, subprograms=(9,))), id="no-slot"),
        pytest.param(replace(FULL, types=bytes(50 << 20)), id="too-large"),
    ],
)
def test_what_could_not_be_read_is_not_written(value: LinkedDeployment) -> None:
    with pytest.raises(MalformedLinked, match="cannot be kept"):
        write_linked(value)


def test_a_few_maps_in_maps_are_written() -> None:
    few = replace(FULL, maps=(nested(8),))
    assert read_linked(write_linked(few)) == few
