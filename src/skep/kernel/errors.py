"""What can go wrong at the kernel's door, each below the family the caller can act on."""

from skep.errors import (
    Conflict,
    Malformed,
    NotFound,
    NotPermitted,
    Refused,
    Unavailable,
    Unsupported,
    UsageError,
)


class LacksPrivilege(NotPermitted):
    """The kernel said EPERM or EACCES before it looked at what was asked."""


class NotInThisKernel(Unsupported):
    """This kernel does not know the command, the field or the type."""


class KernelFilesMissing(Unsupported):
    """``/proc`` or ``/sys``, where the kernel shows this, is not mounted here."""


def proc_missing(cannot: str) -> KernelFilesMissing:
    """The error for what cannot be done without ``/proc``.

    Args:
        cannot: the first part of the message.
    """
    return KernelFilesMissing(
        f"{cannot}: /proc is not mounted here", hint="mount -t proc proc /proc"
    )


class KernelRefused(Refused):
    """The kernel understood and said no: a wrong size, a frozen map, a full table."""


class KernelBusy(Unavailable):
    """Out of memory or descriptors, or interrupted; trying again may help."""


class KernelObjectMissing(NotFound):
    """A program, map, link or key that is not (or no longer) there."""


class KernelObjectExists(Conflict):
    """A key or pin of that name is there already, or the place is taken."""


class BadMapAccess(UsageError):
    """A key or value of the wrong size for its map, or a map without keys."""


class BadPacket(UsageError):
    """Bytes no interface could bring."""


class VerifierRefused(Refused):
    """The kernel's verifier said no; ``detail`` is its whole log.

    Attributes:
        reason: why, in words for people; the verifier's own if we have no better ones.
        slot: of the instruction it stopped at; ``None`` if the log does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        slot: int | None = None,
        hint: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.reason = reason or message
        self.slot = slot


class MalformedPlan(Malformed):
    """A load plan that cannot be executed: a map index outside the plan, a cut instruction."""


class HookTaken(Conflict):
    """Another program, not ours, is on this hook."""


class UnexpectedProgram(Conflict):
    """The link does not run the program that was expected; nothing was changed."""


class TargetMissing(NotFound):
    """What a program is to be attached to is not there (any more)."""


class InterfaceMissing(TargetMissing):
    """There is no such network interface (any more)."""


class TargetNotVisible(Unavailable):
    """It may be there, but cannot be seen from here, for example in another namespace."""


class NetworkConflict(Conflict):
    """A namespace, interface or address of that name is there already."""


class OutsidePinRoot(UsageError):
    """A pin's name could lead out of its root: a separator, ``..``, a NUL, a symbolic link."""


class NotBpffs(Unsupported):
    """The directory is not on a BPF file system."""


class UnsafePinRoot(NotPermitted):
    """Others may write where the pins are."""


class PinMissing(NotFound):
    """There is no pin of that name."""


class PinExists(Conflict):
    """There is a pin of that name, or it is of another kind than asked for."""
