"""A linked deployment as a document: what a node keeps, so that it can splice a chain again later.

JSON with sorted keys and no spaces, so that equal deployments have equal bytes and one digest.
Keys are the names of the fields; bytes are base64; instructions are their encoded slots,
little-endian on every machine. Rows of numbers that the kernel defines (types of functions, source
lines) and pairs are arrays. ``label`` is not kept: it belongs to the moment of installing.

Reading is strict: a value that is missing, of another type or out of range is malformed, and so is
a document of another schema. Fields it does not know are ignored. Nothing beyond the single value
is checked: that instructions, maps and types fit together is the verifier's to say.

Version 2 of the schema lists attachments where version 1 had one program and target; both are
read. A field that is new after a release must be optional in the reader, meaning what was meant
before: otherwise no chain could be spliced from what an older Skep kept. A test compares the
fields.
"""

import struct
from dataclasses import replace
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
from skep.chains.deployment import (
    AttachmentSpec,
    Deployment,
    TrustDecision,
    parse_deployment_name,
)
from skep.chains.ordering import LARGEST as LARGEST_ORDER
from skep.chains.planning import LinkedDeployment, MapSetting
from skep.digests import Digest
from skep.errors import Malformed, UsageError
from skep.hooks.table import HookTarget
from skep.json_documents import (
    JsonValue,
    MalformedDocument,
    base64_text,
    canonical_json,
    parse_json,
)

_WHAT = "linked deployment"
SCHEMA = "skep.dev/linked-deployment/2"
_EARLIER_SCHEMA = "skep.dev/linked-deployment/1"  # what earlier versions of Skep kept
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
                "types": None if linked.types is None else base64_text(linked.types),
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
    try:
        return _read(JsonValue(parse_json(data, _WHAT, LARGEST_LINKED), _WHAT))
    except MalformedDocument as error:
        raise MalformedLinked(error.message) from error


def _read(document: JsonValue) -> LinkedDeployment:
    if (schema := document["schema"].text()) not in {SCHEMA, _EARLIER_SCHEMA}:
        raise MalformedLinked(
            f"expected a document of the schema {SCHEMA}, got {schema[:80]!r}",
            hint="a newer version of Skep may have written it",
        )
    return LinkedDeployment(
        deployment=_deployment(document["deployment"], schema),
        program=_program(document["program"]),
        maps=document["maps"].each(_map),
        settings=document["settings"].each(_setting),
        types=document["types"].optional(JsonValue.octets),
    )


# Values


def _text_pair(value: JsonValue) -> tuple[str, str]:
    first, second = value.row(2)
    return first.text(), second.text()


def _octets_pair(value: JsonValue) -> tuple[bytes, bytes]:
    first, second = value.row(2)
    return first.octets(), second.octets()


# Deployments


def _deployment_document(deployment: Deployment) -> dict[str, object]:
    return {
        "name": deployment.name,
        "reference": deployment.reference,
        "digest": deployment.digest,
        "attachments": [_attachment_document(each) for each in deployment.attachments],
        "order": deployment.order,
        "run_on": list(deployment.run_on),
        "settings": [list(pair) for pair in deployment.settings],
        "policy": deployment.policy,
        "signer": deployment.signer,
        "maps": list(deployment.maps),
    }


def _attachment_document(attachment: AttachmentSpec) -> dict[str, object]:
    on = attachment.on
    return {
        "program": attachment.program,
        "on": {"hook": on.hook, "target": on.target, "namespace": on.namespace},
    }


def _attachment(value: JsonValue) -> AttachmentSpec:
    on = value["on"]
    return AttachmentSpec(
        value["program"].text(),
        HookTarget(on["hook"].text(), on["target"].text(), on["namespace"].text()),
    )


def _attachments(value: JsonValue) -> tuple[AttachmentSpec, ...]:
    found = value.each(_attachment)
    if len(found) != 1:  # what was linked is one program
        raise value.wrong("a list of one attachment")
    return found


def _deployment(value: JsonValue, schema: str) -> Deployment:
    is_earlier = schema == _EARLIER_SCHEMA
    return Deployment(
        name=_deployment_name(value["name"]),
        reference=value["reference"].text(),
        digest=str(Digest.parse(value["digest"].text())),
        attachments=(_attachment(value),) if is_earlier else _attachments(value["attachments"]),
        order=value["order"].number(LARGEST_ORDER),
        run_on=value["run_on"].each(JsonValue.text),
        settings=value["settings"].each(_text_pair),
        policy=_policy(value["policy"]),
        signer=value["signer"].text(),
        maps=value["maps"].each(JsonValue.text),
    )


def _deployment_name(value: JsonValue) -> str:
    try:
        return parse_deployment_name(value.text())
    except UsageError as error:
        raise value.wrong("the name of a deployment") from error


def _policy(value: JsonValue) -> TrustDecision:
    match value.value:
        case "require-key":
            return "require-key"
        case "insecure-accept-all":
            return "insecure-accept-all"
    raise value.wrong("a trust policy")  # never guess what the owner allowed


def _setting_document(setting: MapSetting) -> dict[str, object]:
    return {
        "pin": setting.pin,
        "entries": [[base64_text(key), base64_text(value)] for key, value in setting.entries],
        "whole": setting.whole,
    }


def _setting(value: JsonValue) -> MapSetting:
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
        "contents": [[base64_text(key), base64_text(value)] for key, value in plan.contents],
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


def _map(value: JsonValue) -> MapPlan:
    return MapPlan(
        name=value["name"].text(),
        map_type=value["map_type"].number(_U32),
        key_size=value["key_size"].number(_U32),
        value_size=value["value_size"].number(_U32),
        max_entries=value["max_entries"].number(_U32),
        flags=value["flags"].number(_U32),
        pinned_by_name=value["pinned_by_name"].truth(),
        contents=value["contents"].each(_octets_pair),
        frozen=value["frozen"].truth(),
        extra=value["extra"].number(_U64),
        key_type_id=value["key_type_id"].number(_U32),
        value_type_id=value["value_type_id"].number(_U32),
        needs_types=value["needs_types"].truth(),
        # As deep as the parser of documents goes, which ends long before Python does.
        inner=value["inner"].optional(_map),
        map_entries=value["map_entries"].each(_map_entry),
        program_entries=value["program_entries"].each(_program_entry),
        layout=value["layout"].text(),
    )


def _map_entry(value: JsonValue) -> tuple[int, int]:
    index, other = value.row(2)
    return index.number(_U32), other.number(_U32)


def _program_entry(value: JsonValue) -> tuple[int, str]:
    index, name = value.row(2)
    return index.number(_U32), name.text()


# Programs


def _program_document(plan: ProgramPlan) -> dict[str, object]:
    return {
        "name": plan.name,
        "program_type": plan.program_type,
        "attach_type": plan.attach_type,
        "flags": plan.flags,
        "licence": plan.licence,
        "instructions": base64_text(encode(plan.instructions)),
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


def _program(value: JsonValue) -> ProgramPlan:
    instructions = _instructions(value["instructions"])
    last = len(instructions) - 1

    def slot(value: JsonValue) -> int:
        return value.number(last)

    def poison(value: JsonValue) -> Poison:
        return Poison(slot(value["slot"]), value["path"].text(), value["kind"].text())

    def function(value: JsonValue) -> FunctionType:
        at, type_id = value.row(len(FunctionType._fields))
        return FunctionType(slot(at), type_id.number(_U32))

    def line(value: JsonValue) -> LinePlace:
        at, file, text, position = value.row(len(LinePlace._fields))
        return LinePlace(slot(at), file.number(_U32), text.number(_U32), position.number(_U32))

    def kernel_name(value: JsonValue) -> KernelName:
        return KernelName(
            slot(value["slot"]),
            _kind(value["kind"]),
            value["name"].text(),
            value["type_id"].number(_U32),
            value["is_weak"].truth(),
        )

    return ProgramPlan(
        name=value["name"].text(),
        program_type=value["program_type"].number(_U32),
        attach_type=value["attach_type"].number(_U32),
        flags=value["flags"].number(_U32),
        licence=value["licence"].text(),
        instructions=instructions,
        subprograms=value["subprograms"].each(slot),
        poisons=value["poisons"].each(poison),
        functions=value["functions"].each(function),
        lines=value["lines"].each(line),
        needs_types=value["needs_types"].truth(),
        attach_btf_id=value["attach_btf_id"].number(_U32),
        names=value["names"].each(JsonValue.text),
        kernel_names=value["kernel_names"].each(kernel_name),
        exception_callback=value["exception_callback"].text(),
    )


def _instructions(value: JsonValue) -> tuple[Instruction, ...]:
    found = tuple(decode(value.octets()))
    if not found:
        raise value.wrong("at least one instruction")
    return found


def _kind(value: JsonValue) -> Literal["function", "variable", "symbol"]:
    match value.value:
        case "function" | "variable" | "symbol" as kind:
            return kind
    raise value.wrong("a kind of name")
