"""What an answer of a marketplace means: success, or an error of the right family."""

from collections.abc import Collection
from http import HTTPStatus

from skep.errors import FAMILIES, SkepError
from skep.json_documents import MalformedDocument, parse_table
from skep.packages.client.errors import FAMILY_CLASSES, MalformedAnswer
from skep.packages.client.transport import HttpAnswer
from skep.packages.fields import Fields
from skep.packages.names import one_line
from skep.packages.wire.error_answer import ErrorAnswer, read_error_answer

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


def _printable(text: str, longest: int) -> str:
    return "\n".join(one_line(line) for line in text[:longest].splitlines())


def _family(told: ErrorAnswer, status: int) -> str:
    by_code = told.code.lower().replace("_", "-")
    for family in (told.family, by_code, _CODES.get(told.code, "")):
        if family in FAMILY_CLASSES:
            return family
    return _STATUSES.get(status, "unavailable")


# Where the status says more than its family.
_STATUS_HINTS = {429: "try again later"}
_HINTS = {
    "unavailable": "the problem is at the marketplace; try again later",
    "not-found": "look for the package with skep search",
    "not-permitted": "ask the marketplace's owner to register you as a publisher",
}


def _phrase(status: int) -> str:
    """A status in words.

    >>> _phrase(429), _phrase(599)
    ('too many requests (HTTP 429)', 'HTTP status 599')
    """
    try:
        return f"{HTTPStatus(status).phrase.lower()} (HTTP {status})"
    except ValueError:
        return f"HTTP status {status}"


def failure(answer: HttpAnswer) -> SkepError:
    """The error an unsuccessful answer stands for.

    The family is what the error document says, by name or by code, else the status'.
    """
    told = read_error_answer(answer.body)
    family = _family(told, answer.status)
    said = one_line(told.message, 500) or _phrase(answer.status)
    usual = _STATUS_HINTS.get(answer.status) or _HINTS.get(family, "")
    return FAMILY_CLASSES[family](
        f"{answer.url}: {said}",
        hint=one_line(told.hint, 500) or usual,
        detail=_printable(told.detail, 64 * 1024),
    )


def expect(answer: HttpAnswer, statuses: Collection[int]) -> HttpAnswer:
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


def table(answer: HttpAnswer) -> Fields:
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


def raise_problems(fields: Fields, answer: HttpAnswer) -> None:
    """Raise if reading an answer's fields found problems.

    Raises:
        MalformedAnswer: with all of them in ``detail``.
    """
    if fields.problems:
        raise MalformedAnswer(
            f"{answer.url}: {fields.problems[0]}", detail="\n".join(fields.problems)
        )
