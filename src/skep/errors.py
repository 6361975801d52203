"""Error families: what a caller can act on, with one table for exit codes and HTTP statuses.

Every error Skep raises on purpose is a :class:`SkepError` of one family. A family is chosen by
what the person or program at the other end can do about it, not by where it was found. Rooms
define their own narrower classes below a family; the table below is the only place where a
family becomes a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Misnamed:
    """A name that nothing has, beside the names there are: one of them was probably meant.

    Attributes:
        name: as it was typed.
        known: names of that kind.
    """

    name: str
    known: tuple[str, ...]


class SkepError(Exception):
    """An error with a sentence for people and a hint what to do next.

    Args:
        message: what was expected and what came, one sentence, no trailing dot needed.
        hint: what to do next; empty if nothing sensible can be said.
        detail: long supporting text kept whole (a verifier log, a list of problems).
        misnamed: if it is about a name that nothing has.
    """

    family: ClassVar[str] = "internal"
    begins_with_the_cause: ClassVar[bool] = False
    """Of a long detail the beginning matters, not the end as in the log of a verifier."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        detail: str = "",
        misnamed: Misnamed | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail
        self.misnamed = misnamed


class UsageError(SkepError):
    """The request itself is wrong: an unknown option, hook, setting or reference."""

    family = "usage"


class Malformed(SkepError):
    """Input does not follow its format: ELF, BTF, OCI, JSON, TOML, HTTP."""

    family = "malformed"


class NotFound(SkepError):
    """What was asked for does not exist: a package, an interface, a deployment, a file."""

    family = "not-found"


class Conflict(SkepError):
    """Something else already exists: a version, a deployment, another tool's program on a hook."""

    family = "conflict"


class Untrusted(SkepError):
    """Not proven genuine: a digest, signature or key does not match, or the policy refuses it."""

    family = "untrusted"


class Refused(SkepError):
    """Refused by a rule: of the kernel's verifier, the review, or chains."""

    family = "refused"


class Unsupported(SkepError):
    """Valid, but not possible here: an older kernel, a missing feature, a format still to come."""

    family = "unsupported"


class Unavailable(SkepError):
    """No answer in time, or no space or memory left. Trying again may help."""

    family = "unavailable"


class NotPermitted(SkepError):
    """A privilege is missing: root, a capability, an account, a writable file system."""

    family = "not-permitted"


class NeedsConsent(SkepError):
    """Consent is missing: agree on a terminal or with ``--yes``. Nothing was changed."""

    family = "consent"


@dataclass(frozen=True, slots=True)
class FamilyCodes:
    """The numbers of a family.

    Attributes:
        exit_code: of a command; 0 is success, 130 is an interrupt, 1 is a bug in Skep.
        http_status: of an answer.
    """

    exit_code: int
    http_status: int


FAMILIES: Mapping[str, FamilyCodes] = MappingProxyType(
    {
        "internal": FamilyCodes(1, 500),
        "usage": FamilyCodes(2, 400),
        "malformed": FamilyCodes(3, 400),
        "not-found": FamilyCodes(4, 404),
        "conflict": FamilyCodes(5, 409),
        "untrusted": FamilyCodes(6, 403),
        "refused": FamilyCodes(7, 422),
        "unsupported": FamilyCodes(8, 501),
        "unavailable": FamilyCodes(9, 503),
        "not-permitted": FamilyCodes(10, 401),
        "consent": FamilyCodes(11, 428),
    }
)


def codes(error: BaseException) -> FamilyCodes:
    """Exit code and HTTP status of ``error``; anything that is not ours is ``internal``.

    >>> codes(NotFound("no such package")).exit_code
    4
    >>> codes(KeyError("x")).http_status
    500
    """
    family = error.family if isinstance(error, SkepError) else "internal"
    return FAMILIES[family]
