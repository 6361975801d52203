"""The answer to "does it fit this kernel?", as a value."""

from dataclasses import dataclass
from typing import Literal

from skep.bytecode.analysis.document import Document, Part
from skep.json_documents import schema_id

SCHEMA = schema_id("kernel-fit")
Fits = bool | Literal["unknown"]
UNKNOWN_FIT: Literal["unknown"] = "unknown"
LEVELS = ("no", "unknown", "warning", "note")
"""In the order in which they are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitFinding(Part):
    """Something about one kernel.

    Attributes:
        level: ``no`` (it cannot be loaded or attached there), ``unknown`` (the version does not
            tell), ``warning`` or ``note``.
        what: a sentence.
        program: a program that has it; empty if it is about the object as a whole.
        function: function of the place, if there is one.
        slot: instruction slot in that function.
        file: source file, empty without line information.
        line: source line, 1-based.
        text: the source line itself.
    """

    level: str
    what: str
    program: str = ""
    function: str = ""
    slot: int | None = None
    file: str = ""
    line: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFit(Part):
    """What is known about an object and one kernel.

    Attributes:
        basis: ``types`` or ``version``: what it was told from.
        findings: those that say no first.
    """

    basis: str
    findings: tuple[FitFinding, ...] = ()

    @property
    def fits(self) -> Fits:
        """``False`` with any ``no`` finding, otherwise ``"unknown"`` with any ``unknown``."""
        levels = {finding.level for finding in self.findings}
        return False if "no" in levels else UNKNOWN_FIT if "unknown" in levels else True

    def to_document(self) -> Document:
        """The JSON-able form, schema ``skep.dev/kernel-fit/1``."""
        return {**Part.to_document(self), "schema": SCHEMA, "fits": self.fits}
