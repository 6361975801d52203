"""What an answer of a marketplace means: success, or an error of the right family."""

from collections.abc import Collection

from skep.errors import FAMILIES, SkepError
from skep.packages.client.errors import FAMILY_CLASSES, MalformedAnswer, MarketplaceUnavailable
from skep.packages.client.transport import Answer
from skep.packages.fields import Fields
from skep.packages.names import one_line
from skep.packages.oci.documents import MalformedDocument, parse_json, parse_table

# Codes of the OCI distribution specification whose status alone would mislead.
_CODES = {
    "DENIED": "not-permitted",
    "UNAUTHORIZED": "not-permitted",
    "TOOMANYREQUESTS": "unavailable",
    "UNSUPPORTED": "unsupported",
    "NAME_INVALID": "usage",
    "DIGEST_INVALID": "malformed",
    "SIZE_INVALID": "malformed",
    "MANIFEST_INVALID": "malformed",
}
_STATUSES = {codes.http_status: family for family, codes in FAMILIES.items()} | {
    400: "usage",
    405: "unsupported",
    408: "unavailable",
    413: "refused",
    429: "unavailable",
    500: "unavailable",
    502: "unavailable",
    504: "unavailable",
}


def _first_error(body: bytes) -> tuple[str, str, str]:
    """Code, message and detail of an error document; empty where there is none."""
    try:
        document = Fields(parse_json(body, "error document"))
    except MalformedDocument:
        return "", "", ""
    for error in document.tables("errors", most=100):
        code = error.text("code", "a code", required=False)
        message = error.text("message", "a message", required=False)
        detail = error.anything("detail")
        return code, message, detail if isinstance(detail, str) else ""
    return "", "", ""


def _printable(text: str, longest: int) -> str:
    return "\n".join(one_line(line) for line in text[:longest].splitlines())


def failure(answer: Answer) -> SkepError:
    """The error an unsuccessful answer stands for.

    The family is told by the error's code if it names one, else by the status.
    """
    code, message, detail = _first_error(answer.body)
    by_code = code.lower().replace("_", "-")
    if by_code in FAMILY_CLASSES:
        family = by_code
    else:
        family = _CODES.get(code) or _STATUSES.get(answer.status, "unavailable")
    said = one_line(message) or f"HTTP status {answer.status}"
    hint = ""
    if family == "unavailable":
        hint = "the marketplace has a problem of its own; try again later"
    elif family == "not-found":
        hint = "look for the package with skep search"
    kind = FAMILY_CLASSES.get(family, MarketplaceUnavailable)
    return kind(f"{answer.url}: {said}", hint=hint, detail=_printable(detail, 64 * 1024))


def expect(answer: Answer, statuses: Collection[int]) -> Answer:
    """Return the answer if it has one of ``statuses``.

    Raises:
        SkepError: of the family the answer stands for.
        MalformedAnswer: it is a success, but not the one the protocol has here.
    """
    if answer.status in statuses:
        return answer
    if answer.status < 400:
        raise MalformedAnswer(
            f"{answer.url}: expected HTTP status {' or '.join(map(str, sorted(statuses)))},"
            f" got {answer.status}"
        )
    raise failure(answer)


def table(answer: Answer) -> Fields:
    """The JSON object in an answer.

    Raises:
        MalformedAnswer: there is none.
    """
    try:
        return Fields(parse_table(answer.body, answer.url))
    except MalformedDocument as error:
        raise MalformedAnswer(
            error.message, hint="is this the URL of a Skep marketplace?"
        ) from error


def raise_problems(fields: Fields, answer: Answer) -> None:
    """Raise if reading an answer's fields found problems.

    Raises:
        MalformedAnswer: with all of them in ``detail``.
    """
    if fields.problems:
        raise MalformedAnswer(
            f"{answer.url}: {fields.problems[0]}", detail="\n".join(fields.problems)
        )
