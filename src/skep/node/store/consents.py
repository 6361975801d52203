"""Records of consent in the node's database: rows to values and back.

Permissions are kept as a JSON array of ``[id, scope, confidence, severity]``, in the order in
which they were shown.
"""

import json
import sqlite3

from skep.bytecode.analysis.growth import Granted
from skep.node.records import Consent, ConsentRecord, How, Outcome
from skep.node.store.rows import items_of

COLUMNS = (
    "number, outcome, deployment, reference, at, person, how, digest, taxonomy, shown, package"
)


def add_consent(connection: sqlite3.Connection, record: ConsentRecord) -> int:
    """Add a record; returns its number."""
    consent = record.consent
    cursor = connection.execute(
        "INSERT INTO consents (outcome, deployment, reference, at, person, how, digest, taxonomy,"
        " shown, package) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            record.outcome,
            record.deployment,
            record.reference,
            consent.at,
            consent.person,
            consent.how,
            consent.digest,
            consent.taxonomy,
            _text(consent.shown),
            _text(consent.package),
        ),
    )
    return cursor.lastrowid or 0


def read_record(row: tuple[object, ...]) -> ConsentRecord:
    """A row of :data:`COLUMNS` as a value.

    Raises:
        ValueError, TypeError: it is not what was written.
    """
    number, outcome, deployment, reference, at, person, how, digest, taxonomy, shown, package = row
    return ConsentRecord(
        _outcome(outcome),
        str(deployment),
        str(reference),
        Consent(
            at=str(at),
            person=str(person),
            how=_how(how),
            digest=str(digest),
            taxonomy=int(str(taxonomy)),
            shown=_permissions(shown),
            package=_permissions(package),
        ),
        int(str(number)),
    )


def _text(permissions: tuple[Granted, ...]) -> str:
    return json.dumps([[p.id, p.scope, p.confidence, p.severity] for p in permissions])


def _permissions(document: object) -> tuple[Granted, ...]:
    found = []
    for entry in items_of(document):
        if not isinstance(entry, list) or not all(isinstance(part, str) for part in entry):
            raise TypeError(f"expected a permission, got {entry!r}")
        identity, scope, confidence, severity = entry
        found.append(Granted(identity, scope, confidence, severity))
    return tuple(found)


def _outcome(value: object) -> Outcome:
    match value:
        case "given" | "refused" | "exceeded":
            return value
    raise ValueError(f"unknown outcome {value!r}")


def _how(value: object) -> How:
    match value:
        case "question" | "yes" | "":
            return value
    raise ValueError(f"unknown way to agree {value!r}")
