"""Licences in classes, and what a package declares against what its code says.

Three facts are kept apart: the SPDX expression a publisher declares, the licence string in the
object that the kernel compares literally, and what in the code only a GPL-compatible string may
use. None is derived from another; here they are compared.

Categories: the index of license-expression (https://github.com/aboutcode-org/license-expression).
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from license_expression import (
    AND,
    OR,
    LicenseSymbol,
    LicenseWithExceptionSymbol,
    Licensing,
    get_license_index,
    get_spdx_licensing,
)

from skep.bytecode.analysis.report import LicenceFacts
from skep.packages.licences import check_licence

CLASSES = (
    "public-domain",
    "permissive",
    "weak-copyleft",
    "copyleft",
    "network-copyleft",
    "source-available",
    "non-commercial",
    "ethical",
    "proprietary",
    "unknown",
)
"""From the least to the most restrictive."""

RESTRICTIVE = frozenset(CLASSES[CLASSES.index("source-available") :])
"""Classes that get the label ``restrictive``: they limit who may use the program, or for what."""

_OF_CATEGORY: Mapping[str, str] = {
    "Public Domain": "public-domain",
    "Permissive": "permissive",
    "Copyleft Limited": "weak-copyleft",
    "Copyleft": "copyleft",
    "Source-available": "source-available",
    "Free Restricted": "ethical",
    "Proprietary Free": "proprietary",
    "Commercial": "proprietary",
}
_NETWORK = re.compile(r"(?:AGPL|OSL|EUPL)-")
_NON_COMMERCIAL = re.compile(r"-NC(?:-|$)|non-?commercial", re.IGNORECASE)
_GPL = re.compile(r"L?GPL-")
_BSD = re.compile(r"BSD-|0BSD$")
_FAMILIES: Mapping[str, tuple[re.Pattern[str], ...]] = {
    # Which declared identifiers fit a string of the kernel: one of them is enough, as a package
    # may declare further licences for its other parts.
    "GPL": (_GPL,),
    "GPL v2": (_GPL,),
    "GPL and additional rights": (_GPL,),
    "Dual BSD/GPL": (_BSD, _GPL),
    "Dual MIT/GPL": (re.compile(r"MIT$|MIT-|X11"), _GPL),
    "Dual MPL/GPL": (re.compile(r"MPL-"), _GPL),
}


@dataclass(frozen=True, slots=True)
class LicenceClass:
    """What a declared licence means for users of the package.

    Attributes:
        expression: as SPDX writes it.
        name: one of :data:`CLASSES`.
        is_restrictive: it gets the restrictive label.
        choices: the branches of ``OR``, if there are any to choose from.
        exceptions: what stands behind ``WITH``.
        identifiers: every licence named.
    """

    expression: str
    name: str
    is_restrictive: bool
    choices: tuple[str, ...]
    exceptions: tuple[str, ...]
    identifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LicenceFinding:
    """A disagreement, or something that is not said.

    Attributes:
        finding_id: stable name.
        severity: ``error``: the kernel refuses, or somebody is misled; ``warning``: look at it;
            ``info``: worth knowing.
        text: a sentence.
    """

    finding_id: str
    severity: Literal["error", "warning", "info"]
    text: str


@functools.cache
def _categories() -> Mapping[str, str]:
    return {
        entry["spdx_license_key"]: entry["category"]
        for entry in get_license_index()
        if entry.get("spdx_license_key")
    }


@functools.cache
def _spdx() -> Licensing:
    return get_spdx_licensing()


def class_of(identifier: str) -> str:
    """Class of one licence.

    >>> class_of("MPL-2.0"), class_of("SSPL-1.0"), class_of("LicenseRef-mine")
    ('weak-copyleft', 'source-available', 'unknown')
    """
    if identifier.startswith(("LicenseRef-", "DocumentRef-")):
        return "unknown"
    category = _categories().get(identifier)
    if category is None:
        return "unknown"
    if _NETWORK.match(identifier):
        return "network-copyleft"
    found = _OF_CATEGORY.get(category, "unknown")
    if found in RESTRICTIVE and _NON_COMMERCIAL.search(identifier):
        return "non-commercial"
    return found


def classify_licence(expression: str) -> LicenceClass:
    """Class of an expression: the least restrictive choice, the most restrictive part.

    Raises:
        UnknownLicence: it is no expression of licences SPDX lists.
    """
    text = check_licence(expression)
    parsed = _spdx().parse(text, validate=False, strict=True)
    identifiers: dict[str, None] = {}
    exceptions: dict[str, None] = {}
    name = CLASSES[_rank(parsed, identifiers, exceptions)]
    choices = tuple(map(str, parsed.args)) if isinstance(parsed, OR) else ()
    return LicenceClass(
        expression=text,
        name=name,
        is_restrictive=name in RESTRICTIVE,
        choices=choices,
        exceptions=tuple(exceptions),
        identifiers=tuple(identifiers),
    )


def _rank(node: object, identifiers: dict[str, None], exceptions: dict[str, None]) -> int:
    if isinstance(node, OR | AND):
        ranks = [_rank(each, identifiers, exceptions) for each in node.args]
        return min(ranks) if isinstance(node, OR) else max(ranks)
    if isinstance(node, LicenseWithExceptionSymbol):
        exceptions[node.exception_symbol.key] = None
        node = node.license_symbol
    key = node.key if isinstance(node, LicenseSymbol) else str(node)
    identifiers[key] = None
    return CLASSES.index(class_of(key))


def licence_findings(declared: str | None, facts: LicenceFacts) -> tuple[LicenceFinding, ...]:
    """Compare the declared licence, the one the kernel reads, and what the code uses.

    Args:
        declared: SPDX expression, ``None`` if nobody declares one, as for a bare object file.

    Raises:
        UnknownLicence: ``declared`` is no expression of licences SPDX lists.
    """
    found: list[LicenceFinding] = []
    if declared is None:
        found.append(LicenceFinding("undeclared", "info", "nobody declares a licence"))
    if facts.kernel_licence is None:
        found.append(
            LicenceFinding(
                "kernel-string-missing",
                "error" if facts.needs_gpl else "info",
                "the object has no licence string; whoever loads it has to choose one",
            )
        )
    elif facts.needs_gpl and not facts.gpl_compatible:
        used = [helper.name for helper in facts.gpl_only_helpers]
        found.append(
            LicenceFinding(
                "kernel-refuses",
                "error",
                f"the kernel refuses {facts.kernel_licence!r} for "
                f"{', '.join([*used, *facts.gpl_only_reasons])}",
            )
        )
    if declared is not None:
        found += _against_kernel_string(classify_licence(declared), facts)
    return tuple(found)


def _against_kernel_string(declared: LicenceClass, facts: LicenceFacts) -> list[LicenceFinding]:
    kernel = facts.kernel_licence
    if kernel is None:
        return []
    found: list[LicenceFinding] = []
    families = _FAMILIES.get(kernel)
    if families is None:
        found += [LicenceFinding("kernel-string", "warning", text) for text in facts.remarks]
        if any(map(_GPL.match, declared.identifiers)) and not facts.remarks:
            text = f"declared {declared.expression}, but the kernel is told {kernel!r}"
            found.append(LicenceFinding("declared-differs", "warning", text))
        return found
    if any(family.match(name) for family in families for name in declared.identifiers):
        return found
    text = f"declared {declared.expression}, but the code says {kernel!r}"
    if declared.is_restrictive:
        found.append(LicenceFinding("misdeclared", "error", f"{text} to be let in by the kernel"))
    else:
        found.append(LicenceFinding("declared-differs", "warning", text))
    return found
