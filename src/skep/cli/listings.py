"""Deployments as ``skep list`` and ``skep chain`` show them."""

from skep.cli.consent_documents import consent_document
from skep.hooks.identity import Binding, identity_fields
from skep.hooks.target import HOST, HookTarget
from skep.node.looking.listing import Condition, Listed
from skep.node.records import DamagedRow
from skep.packages.references import parse_reference

HALF_OF_A_CHANGE = "another command is changing this node; what is shown may be half of it"


def shown_target(on: HookTarget, here: str) -> str:
    """A declared target as it is shown in the namespace of this command.

    >>> on = HookTarget("hook", "eth0")
    >>> shown_target(on, ""), shown_target(on, "blue")
    ('hook:eth0', 'hook:eth0@host')
    """
    return f"{on}@{HOST}" if here and not on.namespace and "@" not in on.target else str(on)


def condition_text(on: HookTarget, condition: Condition) -> str:
    """How a chain is, in words.

    >>> condition_text(HookTarget("hook", "eth1"), "waiting")
    'waiting for eth1'
    """
    match condition:
        case "waiting":
            return f"waiting for {on.target}"
        case "detached":
            return f"not attached to the {on.target} that is there now"
        case "not visible":
            return "not visible from here"
        case "shared":
            return f"not running: {on.target} has another chain"
        case _:
            return condition


def listed_row(one: Listed, here: str) -> list[str]:
    """A deployment as a row: target, order, name, package, state."""
    deployment = one.deployment
    on = shown_target(deployment.on, here)
    state = condition_text(deployment.on, one.condition)
    if one.called is not None:
        state += f" on {one.called.target}" + (
            f"@{one.called.namespace}" if one.called.namespace != deployment.on.namespace else ""
        )
    state += ", not visible from here" if one.is_hidden and one.condition == "running" else ""
    state += " unsigned" if deployment.accepts_unsigned else ""
    state += "".join(f" missing map {pin}" for pin in one.maps_missing)
    package = str(parse_reference(deployment.reference).local)
    return [on, str(deployment.order), deployment.name, package, state]


def listed_document(one: Listed) -> dict[str, object]:
    """A deployment as ``--json`` prints it."""
    deployment = one.deployment
    reference = parse_reference(deployment.reference)
    return {
        "name": deployment.name,
        "package": str(reference.local),
        "origin": reference.host or "",
        "digest": deployment.digest,
        "program": deployment.program,
        "on": str(deployment.on),
        "called": None if one.called is None else str(one.called),
        "binding": binding_document(one.installed.binding),
        "order": deployment.order,
        "run_on": [*deployment.run_on],
        "settings": dict(deployment.settings),
        "signer": deployment.signer,
        "is_unsigned": deployment.accepts_unsigned,
        "condition": one.condition,
        "is_hidden": one.is_hidden,
        "maps_missing": [*one.maps_missing],
        "installed_at": one.installed.installed_at,
        "consent": consent_document(one.installed.consent),
    }


def binding_document(binding: Binding | None) -> dict[str, object] | None:
    """What a target is bound to, as ``--json`` prints it."""
    if binding is None:
        return None
    kind, *fields = identity_fields(binding.identity)
    return {"boot": binding.boot, "kind": kind, "identity": fields, "link": binding.link}


def damaged_document(row: DamagedRow) -> dict[str, object]:
    """A deployment whose record cannot be read, as ``--json`` prints it."""
    return {"name": row.name, "reason": row.reason, "on": str(row.on)}
