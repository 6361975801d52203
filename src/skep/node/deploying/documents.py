"""What came of changes people asked for, as documents; see :mod:`skep.node.looking.documents`."""

from collections.abc import Sequence

from skep.json_documents import schema_id
from skep.node.deploying.installing import InstallReport
from skep.node.deploying.removing import Removed
from skep.node.looking.documents import attachments_document, consent_document
from skep.node.records import Installed
from skep.packages.references import parse_reference


def install_document(report: InstallReport) -> dict[str, object]:
    """A new deployment, and the chain it is in."""
    deployment = report.installed.deployment
    reference = parse_reference(deployment.reference)
    return {
        "schema": schema_id("install"),
        "deployment": deployment.name,
        "package": str(reference.local),
        "origin": reference.host or "",
        "digest": deployment.digest,
        "on": str(deployment.on),
        "attachments": attachments_document(deployment),
        "chain": [*report.chain],
        "remark": report.remark,
        "signer": deployment.signer,
        "is_unsigned": deployment.accepts_unsigned,
        "consent": consent_document(report.installed.consent),
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
    }


def move_document(name: str, chain: Sequence[str]) -> dict[str, object]:
    """A deployment, and the chain it has another place in."""
    return {"schema": schema_id("move"), "name": name, "chain": [*chain]}


def set_document(installed: Installed) -> dict[str, object]:
    """A deployment with the settings that are in force."""
    deployment = installed.deployment
    return {
        "schema": schema_id("set"),
        "name": deployment.name,
        "settings": dict(deployment.settings),
    }
