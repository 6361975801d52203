"""Submissions: an opened package with everything about it derived again.

Nothing the publisher says about the bytecode is taken over; it is only compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.errors import SkepError
from skep.packages.content import PackageContent
from skep.packages.installable import find_obstacles
from skep.packages.made_costs import as_made
from skep.packages.obstacles import Obstacle
from skep.trust.verifying import SignatureEvidence


@dataclass(frozen=True, slots=True)
class Submission:
    """What is reviewed.

    Attributes:
        content: the package, every byte hashed.
        evidence: who signed it; ``None`` in a trial run by an author who has not signed yet.
        reports: derived here, by object file name.
        unreadable: why an object has no report, by object file name.
        obstacles: what keeps it from being installed, as far as its objects can be read.
    """

    content: PackageContent
    evidence: SignatureEvidence | None
    reports: Mapping[str, AnalysisReport]
    unreadable: Mapping[str, str]
    obstacles: tuple[Obstacle, ...] = ()


def submit(content: PackageContent, evidence: SignatureEvidence | None) -> Submission:
    """Read and analyse every object; what cannot be read is noted, not raised."""
    reports: dict[str, AnalysisReport] = {}
    unreadable: dict[str, str] = {}
    objects: dict[str, ObjectFile] = {}
    for name, data in content.objects.items():
        try:
            objects[name] = read_object(data)
            report = analyse(objects[name], program_types=content.metadata.program_types)
            reports[name] = as_made(report, content.metadata)
        except SkepError as error:
            unreadable[name] = error.message
    return Submission(
        content,
        evidence,
        MappingProxyType(reports),
        MappingProxyType(unreadable),
        find_obstacles(content.metadata, objects, reports),
    )
