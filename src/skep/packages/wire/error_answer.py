"""Errors as answers, in the form of the OCI distribution specification.

Beside ``code``, ``message`` and ``detail``, which it names, stand the ``hint`` and the ``family``
of an error of Skep.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
"""

from dataclasses import dataclass

from skep.json_documents import MalformedDocument, parse_json, schema_id
from skep.packages.fields import Fields

SCHEMA = schema_id("error-answer")
_MOST_ERRORS = 100


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The first error of an answer; fields are empty where it says nothing.

    Attributes:
        code: of the specification, or the family in capitals.
        message: one sentence.
        detail: long text.
        hint: what to do next.
        family: see :data:`skep.errors.FAMILIES`.
    """

    code: str = ""
    message: str = ""
    detail: str = ""
    hint: str = ""
    family: str = ""

    def to_document(self) -> dict[str, object]:
        """As JSON; what is empty is left out, but for code and message."""
        more = {"detail": self.detail, "hint": self.hint, "family": self.family}
        error = {"code": self.code, "message": self.message}
        return {
            "schema": SCHEMA,
            "errors": [error | {name: text for name, text in more.items() if text}],
        }


def read_error_answer(body: bytes) -> ErrorAnswer:
    """Read the error in an unsuccessful answer; fields stay empty without one.

    Any registry may have written it, and something in between, so nothing is demanded of it; what
    it says is not printable yet.
    """
    try:
        document = Fields(parse_json(body, "error document"))
    except MalformedDocument:
        return ErrorAnswer()
    for error in document.tables("errors", _MOST_ERRORS):
        names = ("code", "message", "detail", "hint", "family")
        # Other registries put anything into ``detail``; what is no text counts as not said.
        return ErrorAnswer(*(error.text(name, "a text", required=False) for name in names))
    return ErrorAnswer()
