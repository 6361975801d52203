"""What came of changes people asked for, as documents; see :mod:`skep.node.looking.documents`.

A dry run gives the document of the change that would be made, with ``dry_run``.
"""

from collections.abc import Sequence

from skep.json_documents import schema_id
from skep.node.deploying.applying import Changed
from skep.node.deploying.removing import Removed
from skep.node.looking.documents import (
    attachments_document,
    consent_document,
    occupants_document,
)
from skep.node.occupants import Occupant
from skep.packages.references import parse_reference


def install_document(changed: Changed, occupants: Sequence[Occupant]) -> dict[str, object]:
    """A new deployment, and the chain it is in.

    Args:
        occupants: programs that were on the hook before.
    """
    deployment = changed.deployment
    reference = parse_reference(deployment.reference)
    return {
        "schema": schema_id("install"),
        "deployment": deployment.name,
        "package": str(reference.local),
        "origin": reference.host or "",
        "digest": deployment.digest,
        "on": str(deployment.on),
        "attachments": attachments_document(deployment),
        "chain": [*changed.chain],
        "remark": changed.remark,
        "signer": deployment.signer,
        "is_unsigned": deployment.accepts_unsigned,
        "consent": consent_document(changed.consent),
        "occupants": occupants_document(occupants),
        **_outcome(changed),
    }


def remove_document(removed: Removed) -> dict[str, object]:
    """What was taken away."""
    return {
        "schema": schema_id("remove"),
        "names": [*removed.names],
        "on": [str(each) for each in removed.on],
        "links": [link.pin for link in removed.links],
        "stopped": [*removed.stopped],
        "unrecorded": "" if removed.unrecorded is None else removed.unrecorded.message,
        "dry_run": removed.is_dry_run,
        "changed": True,
        "steps": [*removed.steps],
        "undo": [*removed.undo],
    }


def move_document(changed: Changed) -> dict[str, object]:
    """A deployment, and the chain it has another place in."""
    return {
        "schema": schema_id("move"),
        "name": changed.deployment.name,
        "chain": [*changed.chain],
        **_outcome(changed),
    }


def set_document(changed: Changed) -> dict[str, object]:
    """A deployment with the settings that are in force."""
    deployment = changed.deployment
    return {
        "schema": schema_id("set"),
        "name": deployment.name,
        "settings": dict(deployment.settings),
        **_outcome(changed),
    }


def _outcome(changed: Changed) -> dict[str, object]:
    """What every change says of itself."""
    return {
        "dry_run": changed.is_dry_run,
        "changed": not changed.is_unchanged,
        "steps": [*changed.plan.steps],
        "undo": [*changed.plan.undo],
    }
