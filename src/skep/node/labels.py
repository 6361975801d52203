"""The label of a deployment: what its package may do, derived now from the bytes at hand.

This is the one place that decides what is shown, agreed to and compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.growth import Granted, granted
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.objectfile.reading import read_object
from skep.packages.content import PackageContent


@dataclass(frozen=True, slots=True)
class Label:
    """Permissions of a deployment.

    Attributes:
        taxonomy: version of the permissions table.
        shown: of what would be loaded: this kernel, these settings. What people agree to.
        package: of the package as compiled, whatever a loader may change; ``shown`` lies within.
    """

    taxonomy: int
    shown: tuple[Granted, ...]
    package: tuple[Granted, ...]


def derive_reports(content: PackageContent) -> dict[str, AnalysisReport]:
    """Analyse a package's objects, by file name.

    Raises:
        MalformedObject: an object is none.
    """
    types = content.metadata.program_types
    return {
        name: analyse(read_object(data), program_types=types)
        for name, data in sorted(content.objects.items())
    }


def label_of(reports: Mapping[str, AnalysisReport]) -> Label:
    """The label that reports of a package's objects make together."""
    permissions = granted(each for report in reports.values() for each in report.permissions)
    return Label(
        taxonomy=max((report.taxonomy for report in reports.values()), default=0),
        shown=permissions,
        package=permissions,
    )
