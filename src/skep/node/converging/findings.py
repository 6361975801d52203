"""What the doctor can find: kinds of findings, and what can be done about each."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "change in progress",
    "lock unusable",
    "database damaged",
    "trust unsafe",
    "playground left behind",
    "record damaged",
    "change interrupted",
    "target renamed",
    "target moved",
    "target name taken",
    "target missing",
    "target deleted",
    "target not visible",
    "chain not known",
    "others run first",
    "target shared",
    "hook taken",
    "map missing",
    "map replaced",
    "chain not as declared",
    "link without deployment",
    "link attached to nothing",
    "maps without deployment",
    "retired maps",
    "package unusable",
    "copy lost",
    "unsigned accepted",
    "consent not stored",
    "consent exceeded",
    "label changed",
]
_INFORMATION: tuple[Kind, ...] = (
    "change in progress",
    "target moved",
    "target not visible",
    "chain not known",
    "others run first",
    "unsigned accepted",
    "consent not stored",
    "consent exceeded",
    "label changed",
)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What can be done about a finding.

    Attributes:
        text: what it does, for people.
        command: what to type; empty for ``skep doctor --repair``, which does it.
    """

    text: str
    command: str = ""

    @property
    def is_repair(self) -> bool:
        """Whether repairing does it."""
        return not self.command


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: which of those the doctor looks for.
        subject: what it is about: a deployment, a hook target, a pin.
        text: one line for people.
        remedy: what can be done; ``None`` if only the world can change it.
        repaired: what was done, once it was seen to have helped.
        problem: why repairing failed.
    """

    kind: Kind
    subject: str
    text: str
    remedy: Remedy | None = None
    repaired: str = ""
    problem: str = ""

    @property
    def is_information(self) -> bool:
        """Worth knowing, and nothing is wrong: what runs runs on, or the owner chose it."""
        return self.kind in _INFORMATION

    @property
    def is_open(self) -> bool:
        """Something is still to be mended."""
        return not (self.is_information or self.repaired)
