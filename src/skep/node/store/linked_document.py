"""A linked deployment as a document: what a node keeps, so that it can splice a chain again later.

JSON with sorted keys and no spaces, so that equal deployments have equal bytes and one digest.
Keys are the names of the fields; bytes are base64; instructions are their encoded slots,
little-endian on every machine. Rows of numbers that the kernel defines (types of functions, source
lines) and pairs are arrays. ``label`` is not kept: it belongs to the moment of installing.

Reading is strict: a value that is missing, of another type or out of range is malformed, and so is
a document of another schema. Fields it does not know are ignored. Nothing beyond the single value
is checked: that instructions, maps and types fit together is the verifier's to say.

A field that is new after a release must be optional in the reader, meaning what was meant before:
otherwise no chain could be spliced from what an older Skep kept. A test compares the fields.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from skep.bytecode.isa.instructions import Instruction, decode, encode
from skep.bytecode.linking.plan import (
    FunctionType,
    KernelName,
    LinePlace,
    MapPlan,
    Poison,
    ProgramPlan,
)
from skep.chains.deployment import Deployment, TrustDecision, parse_deployment_name
from skep.chains.ordering import LARGEST as LARGEST_ORDER
from skep.chains.planning import LinkedDeployment, MapSetting
from skep.digests import Digest
from skep.errors import Malformed, UsageError
from skep.hooks.table import HookTarget
from skep.packages.oci.documents import canonical_json, parse_table

SCHEMA = "skep.dev/linked-deployment/1"
LARGEST_LINKED = 64 * 1024 * 1024  # bytes; the largest package there is, in base64, and its lines
_U32 = (1 << 32) - 1
_U64 = (1 << 64) - 1
_DEEPEST_INNER = 8  # maps in maps in maps; the kernel takes one level

_T = TypeVar("_T")


class MalformedLinked(Malformed):
    """No document of a linked deployment, or a linked deployment that no document can carry."""


def write_linked(linked: LinkedDeployment) -> bytes:
    """The document of ``linked``, without its label.

    It is read again before it is returned, so that nothing is kept that could not be used.

    Raises:
        MalformedLinked: a value is out of range, half a surrogate pair, or the whole too large.
    """
    try:
        data = canonical_json(
            {
                "schema": SCHEMA,
                "deployment": _deployment_document(linked.deployment),
                "program": _program_document(linked.program),
                "maps": [_map_document(each) for each in linked.maps],
                "settings": [_setting_document(each) for each in linked.settings],
                "types": None if linked.types is None else _text_of(linked.types),
            }
        )
        same = read_linked(data) == replace(linked, label=None)
    except (Malformed, ValueError, TypeError, struct.error) as error:
        raise MalformedLinked(
            f"{str(linked.deployment.name)[:80]} cannot be kept: {str(error)[:240]}"
        ) from error
    if not same:
        raise MalformedLinked(
            f"{linked.deployment.name} cannot be kept: its document would mean something else"
        )
    return data


def read_linked(data: bytes) -> LinkedDeployment:
    """The linked deployment of a document.

    Raises:
        Malformed: it is no such document.
    """
    document = _Value(parse_table(data, "linked deployment", LARGEST_LINKED), "linked deployment")
    if (schema := document["schema"].text()) != SCHEMA:
        raise MalformedLinked(
            f"expected a document of the schema {SCHEMA}, got {schema[:80]!r}",
            hint="a newer version of Skep may have written it",
        )
    return LinkedDeployment(
        deployment=_deployment(document["deployment"]),
        program=_program(document["program"]),
        maps=document["maps"].each(_map),
        settings=document["settings"].each(_setting),
        types=document["types"].optional(_Value.octets),
    )


# Values


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of the document and where it is, read as what it must be.

    Every method raises :class:`MalformedLinked` if it is not.
    """

    value: object
    place: str

    def __getitem__(self, name: str) -> "_Value":
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        if name not in self.value:
            raise MalformedLinked(f"{self.place}: {name} is missing")
        return _Value(self.value[name], f"{self.place}.{name}")

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def number(self, most: int = _U32) -> int:
        # For Python true and false are numbers, too.
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong("a whole number")
        if not 0 <= self.value <= most:
            raise self.wrong(f"a number from 0 to {most}")
        return self.value

    def octets(self) -> bytes:
        text = self.text()
        try:
            found = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.wrong("base64") from error
        if _text_of(found) != text:  # bits beyond the last byte; each value has one spelling
            raise self.wrong("base64")
        return found

    def each(self, read: "Callable[[_Value], _T]") -> tuple[_T, ...]:
        return tuple(read(item) for item in self._items())

    def row(self, length: int) -> "tuple[_Value, ...]":
        items = tuple(self._items())
        if len(items) != length:
            raise self.wrong(f"{length} values")
        return items

    def optional(self, read: "Callable[[_Value], _T]") -> _T | None:
        return None if self.value is None else read(self)

    def wrong(self, expected: str) -> MalformedLinked:
        return MalformedLinked(f"{self.place}: expected {expected}, got {repr(self.value)[:80]}")

    def _items(self) -> "Iterator[_Value]":
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return (_Value(item, f"{self.place}[{i}]") for i, item in enumerate(self.value))


def _text_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _text_pair(value: _Value) -> tuple[str, str]:
    first, second = value.row(2)
    return first.text(), second.text()


def _octets_pair(value: _Value) -> tuple[bytes, bytes]:
    first, second = value.row(2)
    return first.octets(), second.octets()


# Deployments


def _deployment_document(deployment: Deployment) -> dict[str, object]:
    on = deployment.on
    return {
        "name": deployment.name,
        "reference": deployment.reference,
        "digest": deployment.digest,
        "program": deployment.program,
        "on": {"hook": on.hook, "target": on.target, "namespace": on.namespace},
        "order": deployment.order,
        "run_on": list(deployment.run_on),
        "settings": [list(pair) for pair in deployment.settings],
        "policy": deployment.policy,
        "signer": deployment.signer,
        "maps": list(deployment.maps),
    }


def _deployment(value: _Value) -> Deployment:
    on = value["on"]
    return Deployment(
        name=_deployment_name(value["name"]),
        reference=value["reference"].text(),
        digest=str(Digest.parse(value["digest"].text())),
        program=value["program"].text(),
        on=HookTarget(on["hook"].text(), on["target"].text(), on["namespace"].text()),
        order=value["order"].number(LARGEST_ORDER),
        run_on=value["run_on"].each(_Value.text),
        settings=value["settings"].each(_text_pair),
        policy=_policy(value["policy"]),
        signer=value["signer"].text(),
        maps=value["maps"].each(_Value.text),
    )


def _deployment_name(value: _Value) -> str:
    try:
        return parse_deployment_name(value.text())
    except UsageError as error:
        raise value.wrong("the name of a deployment") from error


def _policy(value: _Value) -> TrustDecision:
    match value.value:
        case "require-key":
            return "require-key"
        case "insecure-accept-all":
            return "insecure-accept-all"
    raise value.wrong("a trust policy")  # never guess what the owner allowed


def _setting_document(setting: MapSetting) -> dict[str, object]:
    return {
        "pin": setting.pin,
        "entries": [[_text_of(key), _text_of(value)] for key, value in setting.entries],
        "whole": setting.whole,
    }


def _setting(value: _Value) -> MapSetting:
    return MapSetting(
        pin=value["pin"].text(),
        entries=value["entries"].each(_octets_pair),
        whole=value["whole"].truth(),
    )


# Maps


def _map_document(plan: MapPlan, depth: int = 0) -> dict[str, object]:
    if depth > _DEEPEST_INNER:
        raise MalformedLinked(f"map {plan.name[:80]!r} is more than {_DEEPEST_INNER} maps deep")
    return {
        "name": plan.name,
        "map_type": plan.map_type,
        "key_size": plan.key_size,
        "value_size": plan.value_size,
        "max_entries": plan.max_entries,
        "flags": plan.flags,
        "pinned_by_name": plan.pinned_by_name,
        "contents": [[_text_of(key), _text_of(value)] for key, value in plan.contents],
        "frozen": plan.frozen,
        "extra": plan.extra,
        "key_type_id": plan.key_type_id,
        "value_type_id": plan.value_type_id,
        "needs_types": plan.needs_types,
        "inner": None if plan.inner is None else _map_document(plan.inner, depth + 1),
        "map_entries": [list(pair) for pair in plan.map_entries],
        "program_entries": [list(pair) for pair in plan.program_entries],
        "layout": plan.layout,
    }


def _map(value: _Value) -> MapPlan:
    return MapPlan(
        name=value["name"].text(),
        map_type=value["map_type"].number(),
        key_size=value["key_size"].number(),
        value_size=value["value_size"].number(),
        max_entries=value["max_entries"].number(),
        flags=value["flags"].number(),
        pinned_by_name=value["pinned_by_name"].truth(),
        contents=value["contents"].each(_octets_pair),
        frozen=value["frozen"].truth(),
        extra=value["extra"].number(_U64),
        key_type_id=value["key_type_id"].number(),
        value_type_id=value["value_type_id"].number(),
        needs_types=value["needs_types"].truth(),
        # As deep as the parser of documents goes, which ends long before Python does.
        inner=value["inner"].optional(_map),
        map_entries=value["map_entries"].each(_map_entry),
        program_entries=value["program_entries"].each(_program_entry),
        layout=value["layout"].text(),
    )


def _map_entry(value: _Value) -> tuple[int, int]:
    index, other = value.row(2)
    return index.number(), other.number()


def _program_entry(value: _Value) -> tuple[int, str]:
    index, name = value.row(2)
    return index.number(), name.text()


# Programs


def _program_document(plan: ProgramPlan) -> dict[str, object]:
    return {
        "name": plan.name,
        "program_type": plan.program_type,
        "attach_type": plan.attach_type,
        "flags": plan.flags,
        "licence": plan.licence,
        "instructions": _text_of(encode(plan.instructions)),
        "subprograms": list(plan.subprograms),
        "poisons": [{"slot": p.slot, "path": p.path, "kind": p.kind} for p in plan.poisons],
        "functions": [list(row) for row in plan.functions],
        "lines": [list(row) for row in plan.lines],
        "needs_types": plan.needs_types,
        "attach_btf_id": plan.attach_btf_id,
        "names": list(plan.names),
        "kernel_names": [
            {
                "slot": each.slot,
                "kind": each.kind,
                "name": each.name,
                "type_id": each.type_id,
                "is_weak": each.is_weak,
            }
            for each in plan.kernel_names
        ],
        "exception_callback": plan.exception_callback,
    }


def _program(value: _Value) -> ProgramPlan:
    instructions = _instructions(value["instructions"])
    last = len(instructions) - 1

    def slot(value: _Value) -> int:
        return value.number(last)

    def poison(value: _Value) -> Poison:
        return Poison(slot(value["slot"]), value["path"].text(), value["kind"].text())

    def function(value: _Value) -> FunctionType:
        at, type_id = value.row(len(FunctionType._fields))
        return FunctionType(slot(at), type_id.number())

    def line(value: _Value) -> LinePlace:
        at, file, text, position = value.row(len(LinePlace._fields))
        return LinePlace(slot(at), file.number(), text.number(), position.number())

    def kernel_name(value: _Value) -> KernelName:
        return KernelName(
            slot(value["slot"]),
            _kind(value["kind"]),
            value["name"].text(),
            value["type_id"].number(),
            value["is_weak"].truth(),
        )

    return ProgramPlan(
        name=value["name"].text(),
        program_type=value["program_type"].number(),
        attach_type=value["attach_type"].number(),
        flags=value["flags"].number(),
        licence=value["licence"].text(),
        instructions=instructions,
        subprograms=value["subprograms"].each(slot),
        poisons=value["poisons"].each(poison),
        functions=value["functions"].each(function),
        lines=value["lines"].each(line),
        needs_types=value["needs_types"].truth(),
        attach_btf_id=value["attach_btf_id"].number(),
        names=value["names"].each(_Value.text),
        kernel_names=value["kernel_names"].each(kernel_name),
        exception_callback=value["exception_callback"].text(),
    )


def _instructions(value: _Value) -> tuple[Instruction, ...]:
    found = tuple(decode(value.octets()))
    if not found:
        raise value.wrong("at least one instruction")
    return found


def _kind(value: _Value) -> Literal["function", "variable", "symbol"]:
    match value.value:
        case "function" | "variable" | "symbol" as kind:
            return kind
    raise value.wrong("a kind of name")
