"""Deployments: what a node's owner declared, programs of one package on hook targets.

A deployment holds a tuple of programs and targets, and has exactly one today. Whatever relies on
that asks :attr:`Deployment.sole_attachment`.

A deployment is data that outlives a command: it is what the database of a node keeps, what plans
are made from and what a fleet would send. What is running is observed, never stored in here.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from skep.errors import UsageError
from skep.hooks.table import HookTarget

# Also a directory in bpffs, where the kernel reserves dots (bpf_lookup in kernel/bpf/inode.c).
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")

TrustDecision = Literal["require-key", "insecure-accept-all"]
"""Which policy the owner chose when installing: one value, never two switches."""


class BadDeploymentName(UsageError):
    """The text cannot name a deployment."""


@dataclass(frozen=True, slots=True, order=True)
class AttachmentSpec:
    """A program of a package, and the hook target it is declared on.

    Attributes:
        program: function name in the package's object.
        on: hook and target.
    """

    program: str
    on: HookTarget


@dataclass(frozen=True, slots=True)
class Deployment:
    """A package on hook targets, with its place and settings.

    Attributes:
        name: unique on the node.
        reference: what was asked for, for people.
        digest: the package's manifest; the only thing content is found by.
        attachments: its programs, each with its hook target.
        order: place among the deployments on the same hook target, ascending.
        run_on: verdict names after which the next program runs.
        settings: names and texts as the owner typed them, ascending by name; what is not here
            has the package's default.
        policy: which trust policy the owner chose for this deployment.
        signer: fingerprint of the key whose signature was checked; empty if none was.
        maps: pin names of its maps, see :func:`skep.chains.fingerprints.map_pin_name`.
    """

    name: str
    reference: str
    digest: str
    attachments: tuple[AttachmentSpec, ...]
    order: int
    run_on: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()
    policy: TrustDecision = "require-key"
    signer: str = ""
    maps: tuple[str, ...] = ()

    @property
    def sole_attachment(self) -> AttachmentSpec:
        """The one attachment there is: the place where everything that assumes one asks.

        Raises:
            ValueError: there is none, or several. Records and documents are checked when they are
                read, so only a later version of Skep makes such a deployment.
        """
        if len(self.attachments) != 1:
            raise ValueError(f"expected one attachment, {self.name} has {len(self.attachments)}")
        return self.attachments[0]

    @property
    def program(self) -> str:
        """Function name of its one program."""
        return self.sole_attachment.program

    @property
    def on(self) -> HookTarget:
        """Hook and target of its one program."""
        return self.sole_attachment.on

    def with_target(self, on: HookTarget) -> "Deployment":
        """The same, with its one program declared on another target."""
        return replace(self, attachments=(replace(self.sole_attachment, on=on),))

    @property
    def accepts_unsigned(self) -> bool:
        """Whether the owner waived signatures for it; to be flagged wherever it is shown."""
        return self.policy == "insecure-accept-all"


def parse_deployment_name(text: str) -> str:
    """Check that ``text`` can name a deployment.

    >>> parse_deployment_name("ratelimiting-2")
    'ratelimiting-2'

    Raises:
        BadDeploymentName: for anything but 1-63 lower-case letters, digits, ``-`` and ``_``.
    """
    if not _NAME.fullmatch(text):
        raise BadDeploymentName(
            f"expected 1-63 lower-case letters, digits, '-' or '_', got {text[:80]!r}",
            hint="choose another name with --name",
        )
    return text


def default_deployment_name(package: str) -> str:
    """What a deployment is called if nobody says otherwise.

    >>> default_deployment_name("tc.limit")
    'tc-limit'
    """
    # Package names may have dots, directories in bpffs may not.
    return package.replace(".", "-")
