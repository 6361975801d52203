"""What a node remembers: deployments as committed, who agreed to them, and what was done."""

from dataclasses import dataclass, replace
from typing import Literal

from skep.bytecode.analysis.growth import Granted
from skep.chains.deployment import Deployment
from skep.hooks.identity import Binding, Identity
from skep.hooks.target import HookTarget

How = Literal["question", "yes", ""]
"""How consent was given: a question on a terminal, ``--yes``; empty if nothing was asked."""

Outcome = Literal["given", "refused", "exceeded"]
"""``exceeded``: a change stopped, because it needed a consent that was missing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the kernel's verifier said about a program when it was loaded alone.

    Attributes:
        verified_instructions: instructions it walked through; ``None`` if the kernel is too old
            to say (before 5.16).
        stack_bytes: stack of the entry function; ``None`` if its log did not say.
        may_tail_call: it has a tail call, which ends the chain when it is taken; ``None`` if an
            older version of Skep composed the chain.
    """

    verified_instructions: int | None = None
    stack_bytes: int | None = None
    may_tail_call: bool | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent: what was shown and agreed to.

    Attributes:
        at: RFC 3339.
        person: who; see ``skep.cli.person``.
        how: the question or ``--yes``.
        digest: of the package whose label it was.
        taxonomy: version of the permissions table.
        shown: the label that was shown: of this package, on this kernel, with these settings.
        package: the label of the package as compiled, which the one shown lies within.
    """

    at: str
    person: str
    how: How
    digest: str
    taxonomy: int
    shown: tuple[Granted, ...]
    package: tuple[Granted, ...]


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A line of the audit record, which only grows.

    Attributes:
        outcome: what came of it.
        deployment: its name.
        reference: of its package, for people.
        consent: what was given, refused or needed.
        number: ascending; 0 until it is stored.
    """

    outcome: Outcome
    deployment: str
    reference: str
    consent: Consent
    number: int = 0


@dataclass(frozen=True, slots=True)
class Installed:
    """A committed deployment.

    Attributes:
        deployment: as declared.
        installed_at: RFC 3339.
        measured: from the last time its chain was composed.
        consent: what was agreed to; ``None`` if it was installed before that was stored.
        binding: what its target was when its chain was last composed; of another boot, or
            ``None``, if it has run nowhere since.
        kept: digest of the kept copy of its linked program; empty if an older version of Skep
            installed it.
    """

    deployment: Deployment
    installed_at: str
    measured: Measured = Measured()
    consent: Consent | None = None
    binding: Binding | None = None
    kept: str = ""


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """A deployment whose record cannot be read.

    Attributes:
        name: of the deployment; the one thing that must be readable.
        reason: what is wrong with the record.
        on: where it is, as far as the record tells; it may name a hook that there is not.
        kept: digest of the kept copy of its linked program; empty if that is not readable either.
        binding: what its target was, as far as the record tells.
        consent: what was agreed to, if that is readable.
    """

    name: str
    reason: str
    on: HookTarget
    kept: str = ""
    binding: Binding | None = None
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a change may touch: repairing it after a crash touches nothing else.

    Attributes:
        places: hooks and identities whose links it may exchange or leave behind.
        deployments: whose maps it may make or put aside.
    """

    places: tuple[tuple[str, Identity], ...] = ()
    deployments: tuple[str, ...] = ()


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
        scope: what it may touch; empty for one that an older version of Skep wrote.
    """

    number: int
    started_at: str
    command: str
    steps: tuple[str, ...]
    ended_at: str | None = None
    outcome: str | None = None
    scope: Scope = Scope()


def says_the_same(one: ConsentRecord, other: ConsentRecord) -> bool:
    """Whether two records differ in number and time alone."""
    return replace(one, number=0, consent=replace(one.consent, at="")) == replace(
        other, number=0, consent=replace(other.consent, at="")
    )
