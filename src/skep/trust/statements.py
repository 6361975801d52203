"""Statements: what is signed, namely one digest and what is said about it.

Source: in-toto Statement v1,
https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md
"""

import json
from dataclasses import dataclass

from skep.digests import Digest, MalformedDigest
from skep.trust.documents import (
    MalformedDocument,
    member_list,
    member_object,
    member_text,
    parse_object,
)

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_LIMIT = 1 << 20  # bytes
_WHAT = "an in-toto statement"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a signature is about.

    Attributes:
        name: for people; it is written but never compared, because the digest is of the manifest,
            which itself binds the package's name and version.
        digest: of the package's manifest.
        origin: the marketplace it came from, for hints; empty if it is not known.
    """

    name: str
    digest: Digest
    origin: str = ""

    @property
    def publisher(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed statement about exactly one subject.

    Attributes:
        digest: the one subject's.
        predicate_type: what kind of thing is said.
    """

    digest: Digest
    predicate_type: str


def write_statement(subject: Subject) -> bytes:
    """The plain "I signed this" about ``subject``, the same bytes each time."""
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": subject.name, "digest": {subject.digest.algorithm: subject.digest.hexadecimal}}
        ],
        "predicateType": SIGNATURE_PREDICATE,
        "predicate": {},
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("utf-8")


def parse_statement(payload: bytes) -> Statement:
    """Read a statement about one subject that has one digest.

    in-toto allows several subjects and several digests each, and says that one match suffices. A
    plain signature never needs that, and a reader that looks at another entry than the next one
    does is an attack, so both are refused.

    Raises:
        MalformedDocument: anything else.
    """
    document = parse_object(payload, _LIMIT, _WHAT)
    statement_type = member_text(document, "_type", _WHAT)
    if statement_type != STATEMENT_TYPE:
        raise MalformedDocument(f"expected {STATEMENT_TYPE}, got {statement_type[:160]!r}")
    subjects = member_list(document, "subject", _WHAT)
    if len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise MalformedDocument(f"expected a statement about one subject, got {len(subjects)}")
    digests = member_object(subjects[0], "digest", "the subject of a statement")
    if len(digests) != 1:
        raise MalformedDocument(f"expected one digest of the subject, got {len(digests)}")
    algorithm = next(iter(digests))
    hexadecimal = member_text(digests, algorithm, "the digests of a subject")
    try:
        digest = Digest.parse(f"{algorithm}:{hexadecimal}")
    except MalformedDigest as error:
        raise MalformedDocument(f"in a statement: {error.message}") from error
    return Statement(digest, member_text(document, "predicateType", _WHAT))
