"""What a node remembers: deployments as committed, and a journal of what was done."""

from dataclasses import dataclass

from skep.chains.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Measured:
    """What the kernel's verifier said about a program when it was loaded alone.

    Attributes:
        verified_instructions: instructions it walked through; ``None`` if the kernel is too old
            to say (before 5.16).
        stack_bytes: stack of the entry function; ``None`` if its log did not say.
    """

    verified_instructions: int | None = None
    stack_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Installed:
    """A committed deployment.

    Attributes:
        deployment: as declared.
        installed_at: RFC 3339.
        measured: from the last time its chain was composed.
    """

    deployment: Deployment
    installed_at: str
    measured: Measured = Measured()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One change, written down before it was begun.

    Attributes:
        number: ascending.
        started_at: RFC 3339.
        command: what was asked for.
        steps: a line for each action of its plan.
        ended_at: RFC 3339; ``None`` while it is at work, or if it crashed.
        outcome: ``done``, ``undone`` or ``repaired``; ``None`` as above.
    """

    number: int
    started_at: str
    command: str
    steps: tuple[str, ...]
    ended_at: str | None = None
    outcome: str | None = None
