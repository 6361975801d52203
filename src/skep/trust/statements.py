"""Statements: the signed content, one digest and a claim about it.

Source: in-toto Statement v1,
https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md
"""

from dataclasses import dataclass

from skep.digests import Digest, MalformedDigest
from skep.json_documents import JsonValue, MalformedDocument, canonical_json, parse_json
from skep.sigstore import SIGNATURE_PREDICATE

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
_WHAT = "in-toto statement"


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
    return canonical_json(document)


def parse_statement(payload: bytes) -> Statement:
    """Read a statement about one subject that has one digest.

    in-toto allows several subjects and several digests each, and says that one match suffices. A
    plain signature never needs that, and a reader that looks at another entry than the next one
    does is an attack, so both are refused.

    Raises:
        MalformedDocument: anything else.
    """
    document = JsonValue(parse_json(payload, _WHAT), _WHAT)
    statement_type = document["_type"].text()
    if statement_type != STATEMENT_TYPE:
        raise document["_type"].wrong(STATEMENT_TYPE)
    subjects = document["subject"].items()
    if len(subjects) != 1:
        raise MalformedDocument(f"expected a statement about one subject, got {len(subjects)}")
    digests = subjects[0]["digest"].table()
    if len(digests) != 1:
        raise MalformedDocument(f"expected one digest of the subject, got {len(digests)}")
    algorithm, hexadecimal = next(iter(digests.items()))
    try:
        digest = Digest.parse(f"{algorithm}:{hexadecimal.text()}")
    except MalformedDigest as error:
        raise MalformedDocument(f"in a statement: {error.message}") from error
    return Statement(digest, document["predicateType"].text())
