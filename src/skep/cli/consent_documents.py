"""Consent as commands print it with ``--json``."""

from collections.abc import Sequence

from skep.bytecode.analysis.growth import Granted
from skep.node.records import Consent


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
