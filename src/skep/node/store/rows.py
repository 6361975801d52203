"""Rows of a node's database as values, and back; what was not written by Skep is never guessed."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from skep.chains.deployment import (
    AttachmentSpec,
    Deployment,
    TrustDecision,
    parse_deployment_name,
)
from skep.digests import Digest
from skep.errors import SkepError
from skep.hooks.identity import Binding, Identity, identity_fields, parse_identity
from skep.hooks.table import HOOKS, HookTarget
from skep.json_documents import MalformedDocument, parse_json
from skep.node.records import (
    Consent,
    DamagedRow,
    Installed,
    JournalEntry,
    Measured,
    Scope,
)

DEPLOYMENT_COLUMNS = (
    "name",
    "reference",
    "digest",
    "place",
    "run_on",
    "settings",
    "policy",
    "signer",
    "maps",
    "installed_at",
    "verified_instructions",
    "stack_bytes",
    "may_tail_call",
    "binding",
    "kept",
)
ATTACHMENT_COLUMNS = ("program", "hook", "target", "namespace")
JOURNAL_COLUMNS = ("number", "started_at", "command", "steps", "ended_at", "outcome", "scope")

# Columns of a deployment that hold JSON, as a sentence begins about them.
_JSON_COLUMNS = {
    "settings": "settings are",
    "run_on": "verdicts are",
    "maps": "maps are",
    "binding": "binding is",
}
_LARGEST_COLUMN = 64 * 1024 * 1024  # bytes; a set of ports may be a setting

Row = tuple[object, ...]

# Reading references properly would make every listing import packages.
_REFERENCE = re.compile(r"[a-z0-9][^\s/]*(?:/[^\s/]+)+")


def deployment_row(one: Installed) -> Row:
    """A committed deployment without consent and attachments, in the order of the columns."""
    deployment = one.deployment
    return (
        deployment.name,
        deployment.reference,
        deployment.digest,
        deployment.order,
        json.dumps(deployment.run_on),
        json.dumps(deployment.settings),
        deployment.policy,
        deployment.signer,
        json.dumps(deployment.maps),
        one.installed_at,
        one.measured.verified_instructions,
        one.measured.stack_bytes,
        one.measured.may_tail_call,
        json.dumps(_binding_document(one.binding)),
        one.kept,
    )


def attachment_rows(deployment: Deployment) -> list[Row]:
    """The attachments of a deployment, each in the order of the columns."""
    return [
        (each.program, each.on.hook, each.on.target, each.on.namespace)
        for each in deployment.attachments
    ]


def read_deployment(row: Row, attachments: Sequence[Row], consent: Consent | None) -> Installed:
    """The committed deployment in a row, and in the rows of its attachments.

    Raises:
        ValueError, TypeError: Skep did not write it.
    """
    values = dict(zip(DEPLOYMENT_COLUMNS, row, strict=True))
    return Installed(
        require_usable(
            Deployment(
                name=str(values["name"]),
                reference=str(values["reference"]),
                digest=str(values["digest"]),
                attachments=tuple(_attachment(each) for each in attachments),
                order=int(str(values["place"])),
                run_on=tuple(_texts(values["run_on"])),
                settings=tuple((_text(k), _text(v)) for k, v in items_of(values["settings"])),
                policy=_policy(values["policy"]),
                signer=str(values["signer"]),
                maps=tuple(_texts(values["maps"])),
            )
        ),
        str(values["installed_at"]),
        Measured(
            _number(values["verified_instructions"]),
            _number(values["stack_bytes"]),
            None if values["may_tail_call"] is None else bool(values["may_tail_call"]),
        ),
        consent,
        _binding(parsed(values["binding"])),
        str(values["kept"]),
    )


def _attachment(row: Row) -> AttachmentSpec:
    program, hook, target, namespace = (str(value) for value in row)
    return AttachmentSpec(program, HookTarget(hook, target, namespace))


def require_usable(deployment: Deployment) -> Deployment:
    """The deployment, if this version of Skep can do something with it.

    A record may be of a later version, with a hook that this one does not know, or several
    attachments.

    Raises:
        ValueError: it cannot; the others are not affected.
    """
    on = deployment.sole_attachment.on
    hook = HOOKS.get(on.hook)
    if hook is None:
        raise ValueError(f"this version of Skep has no hook {on.hook!r}")
    try:
        parse_deployment_name(deployment.name)
        Digest.parse(deployment.digest)
        if hook.target.parse(on.hook, str(on).partition(":")[2]) != on:
            raise ValueError(f"{on} is no target")
    except SkepError as error:
        raise ValueError(error.message) from error
    unknown = [verdict for verdict in deployment.run_on if verdict not in hook.verdicts]
    if unknown:
        raise ValueError(f"{on.hook} has no verdict {unknown[0]!r}")
    if not _REFERENCE.fullmatch(deployment.reference):
        raise ValueError(f"{deployment.reference!r} is no reference to a package")
    return deployment


def read_damaged(
    row: Row, attachments: Sequence[Row], reason: str, consent: Consent | None
) -> DamagedRow:
    """What can still be told of a record that cannot be read."""
    values = {column: str(value) for column, value in zip(DEPLOYMENT_COLUMNS, row, strict=True)}
    on = _attachment(attachments[0]).on if attachments else HookTarget("", "")
    binding: Binding | None = None
    with suppress(ValueError, TypeError):
        binding = _binding(parsed(values["binding"]))
    return DamagedRow(
        values["name"], _broken(values) or reason, on, values["kept"], binding, consent
    )


def _broken(values: Mapping[str, str]) -> str:
    """Which column is no JSON, in words; a parser's own say nothing to who reads them."""
    for column, noun in _JSON_COLUMNS.items():
        try:
            parsed(values[column])
        except ValueError:
            return f"its {noun} not valid JSON"
    return ""


def scope_text(scope: Scope) -> str:
    """What a change may touch, as the journal keeps it."""
    places = [[hook, *identity_fields(identity)] for hook, identity in scope.places]
    return json.dumps({"places": places, "deployments": scope.deployments})


def read_entry(row: Row) -> JournalEntry:
    """The journal entry in a row.

    A damaged one reads as one that may touch nothing: no change is kept from happening by it.
    """
    values = dict(zip(JOURNAL_COLUMNS, row, strict=True))
    ended, outcome = values["ended_at"], values["outcome"]
    return JournalEntry(
        number=int(str(values["number"])),
        started_at=str(values["started_at"]),
        command=str(values["command"]),
        steps=_steps(values["steps"]),
        ended_at=None if ended is None else str(ended),
        outcome=None if outcome is None else str(outcome),
        scope=_scope(values["scope"]),
    )


def _steps(document: object) -> tuple[str, ...]:
    try:
        return tuple(_texts(document))
    except (ValueError, TypeError):
        return ()


def _scope(text: object) -> Scope:
    try:
        match parsed(text):
            case {"places": [*places], "deployments": [*names]}:
                return Scope(
                    tuple((_text(hook), _identity(fields)) for hook, *fields in places),
                    tuple(_text(name) for name in names),
                )
    except (ValueError, TypeError):
        pass
    return Scope()


def _binding_document(binding: Binding | None) -> object:
    if binding is None:
        return None
    identity = identity_fields(binding.identity)
    return {"boot": binding.boot, "identity": identity, "link": binding.link}


def _binding(document: object) -> Binding | None:
    match document:
        case None:
            return None
        case {"boot": str(boot), "identity": [*fields], "link": int(link)}:
            return Binding(boot, _identity(fields), link)
    raise ValueError(f"not a binding: {document!r}")


def _identity(fields: list[object]) -> Identity:
    return parse_identity(*(_text(field) for field in fields))


def _policy(value: object) -> TrustDecision:
    match value:
        case "require-key":
            return "require-key"
        case "insecure-accept-all":
            return "insecure-accept-all"
    raise ValueError(f"unknown policy {value!r}")  # never guess what the owner allowed


def parsed(text: object) -> object:
    """A column that holds JSON, read as strictly as what comes from outside.

    Raises:
        ValueError: Skep did not write it.
    """
    try:
        return parse_json(str(text), "column", _LARGEST_COLUMN)
    except MalformedDocument as error:
        raise ValueError(error.message) from error


def items_of(text: object) -> list[Any]:
    """A column that holds a JSON array.

    Raises:
        ValueError: Skep did not write it.
    """
    found = parsed(text)
    if not isinstance(found, list):
        raise ValueError(f"not a list: {found!r}")  # noqa: TRY004 - as with any other column
    return found


def _texts(document: object) -> list[str]:
    return [_text(value) for value in items_of(document)]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))
