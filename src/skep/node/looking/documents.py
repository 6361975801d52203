"""What people see of a node, as documents for ``--json`` and an HTTP API.

Fields are in ``docs/reference/json.md``. They are added, and never moved, renamed or given another
meaning under the same ``schema``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from skep.bytecode.analysis.growth import Granted
from skep.chains.deployment import Deployment
from skep.hooks.identity import Binding, identity_fields
from skep.json_documents import schema_id
from skep.node.looking.listing import ChainView, Listed
from skep.node.looking.standing import Newer, Standing
from skep.node.occupants import Occupant
from skep.node.records import Consent, DamagedRow, Installed, JournalEntry
from skep.packages.references import parse_reference


@dataclass(frozen=True, slots=True)
class Counted:
    """What a member of a chain counts.

    Attributes:
        values: by metric; ``None`` where one cannot be read.
        problem: why nothing is known; else empty.
    """

    values: Mapping[str, int | None]
    problem: str = ""


Counters = Mapping[str, Counted]
"""What members count, by deployment."""


def list_document(
    listed: Iterable[tuple[Listed, Standing]],
    damaged: Iterable[DamagedRow],
    interrupted: Iterable[JournalEntry],
) -> dict[str, object]:
    """All deployments, those whose records cannot be read, and changes that did not end."""
    return {
        "schema": schema_id("list"),
        "deployments": [listed_document(one, standing) for one, standing in listed],
        "damaged": [damaged_document(row) for row in damaged],
        "interrupted": [entry.command for entry in interrupted],
    }


def listed_document(one: Listed, standing: Standing) -> dict[str, object]:
    """A deployment."""
    deployment = one.deployment
    reference = parse_reference(deployment.reference)
    return {
        "name": deployment.name,
        "package": str(reference.local),
        "origin": reference.host or "",
        "digest": deployment.digest,
        "program": deployment.program,
        "on": str(deployment.on),
        "attachments": attachments_document(deployment),
        "called": None if one.called is None else str(one.called),
        "binding": binding_document(one.installed.binding),
        "order": deployment.order,
        "run_on": [*deployment.run_on],
        "settings": dict(deployment.settings),
        "changed_settings": dict(standing.changed_settings),
        "trust": standing.trust,
        "newer": _newer_document(standing.newer),
        "signer": deployment.signer,
        "is_unsigned": deployment.accepts_unsigned,
        "condition": one.condition,
        "is_hidden": one.is_hidden,
        "reason": one.reason,
        "remark": one.remark,
        "maps_missing": [*one.maps_missing],
        "installed_at": one.installed.installed_at,
        "consent": consent_document(one.installed.consent),
    }


def attachments_document(deployment: Deployment) -> list[dict[str, str]]:
    """The programs of a deployment, each with the target it is declared on."""
    return [{"program": each.program, "on": str(each.on)} for each in deployment.attachments]


def _newer_document(newer: Newer | None) -> dict[str, object] | None:
    if newer is None:
        return None
    return {
        "version": newer.version,
        "marketplace": newer.marketplace,
        "heard_at": newer.heard_at,
    }


def binding_document(binding: Binding | None) -> dict[str, object] | None:
    """What a target is bound to."""
    if binding is None:
        return None
    kind, *fields = identity_fields(binding.identity)
    return {"boot": binding.boot, "kind": kind, "identity": fields, "link": binding.link}


def damaged_document(row: DamagedRow) -> dict[str, object]:
    """A deployment whose record cannot be read."""
    return {"name": row.name, "reason": row.reason, "on": str(row.on)}


def chains_document(
    chains: Iterable[tuple[ChainView, Counters]],
) -> dict[str, object]:
    """Chains, each with what its members count: values of metrics by member and metric."""
    return {
        "schema": schema_id("chain"),
        "chains": [_chain_document(view, counters) for view, counters in chains],
    }


def _chain_document(view: ChainView, counters: Counters) -> dict[str, object]:
    called = view.spot.called if view.spot is not None else None
    return {
        "on": str(view.on),
        "called": None if called is None else str(called),
        "condition": view.condition,
        "reason": view.reason,
        "remark": view.remark,
        "occupants": None if view.occupants is None else occupants_document(view.occupants),
        "members": [
            _member_document(member, counters.get(member.deployment.name, Counted({})))
            for member in view.members
        ],
    }


def occupants_document(there: Sequence[Occupant]) -> list[dict[str, object]]:
    """Programs on a hook, first to run first."""
    return [{"id": each.program, "name": each.name, "is_ours": each.is_ours} for each in there]


def _member_document(member: Installed, counted: Counted) -> dict[str, object]:
    deployment = member.deployment
    return {
        "name": deployment.name,
        "package": str(parse_reference(deployment.reference).local),
        "order": deployment.order,
        "run_on": [*deployment.run_on],
        "metrics": dict(counted.values),
        "metrics_problem": counted.problem,
        "stack_bytes": member.measured.stack_bytes,
        "verified_instructions": member.measured.verified_instructions,
        "may_tail_call": member.measured.may_tail_call,
    }


def consent_document(consent: Consent | None) -> dict[str, object] | None:
    """A consent; ``None`` for a deployment from before consent was stored."""
    if consent is None:
        return None
    return {
        "at": consent.at,
        "person": consent.person,
        "how": consent.how,
        "digest": consent.digest,
        "taxonomy": consent.taxonomy,
        "permissions": _permissions(consent.shown),
        "package_permissions": _permissions(consent.package),
    }


def _permissions(permissions: Sequence[Granted]) -> list[dict[str, str]]:
    return [
        {
            "id": each.id,
            "scope": each.scope,
            "confidence": each.confidence,
            "severity": each.severity,
        }
        for each in permissions
    ]
