"""What a package's maps cost as they are made: with the sizes its author or its settings give.

An object states other sizes than a package needs, or none: ``[maps.NAME] max_entries`` and settings
with ``max_entries_of`` say what is made. Only the cost follows them. What a program may do is
derived with the object's own sizes, as an operator may choose others again.
"""

from dataclasses import replace

from skep.bytecode.analysis.cost import resized
from skep.bytecode.analysis.report import AnalysisReport
from skep.packages.map_sizes import chosen_sizes
from skep.packages.metadata import PackageMetadata
from skep.packages.settings import parse_setting


def usual_sizes(metadata: PackageMetadata) -> dict[str, int]:
    """Number of entries by map, as long as no operator says otherwise."""
    values = [
        parse_setting(spec, spec.default)
        for spec in metadata.settings
        if spec.max_entries_of is not None and spec.default is not None
    ]
    known = {each.name for each in metadata.maps}
    known |= {value.spec.max_entries_of for value in values if value.spec.max_entries_of}
    return chosen_sizes(metadata.maps, values, known)


def as_made(report: AnalysisReport, metadata: PackageMetadata) -> AnalysisReport:
    """The report of an object of a package, with the cost of the maps as they are made."""
    sizes = usual_sizes(metadata)
    return replace(report, cost=resized(report.cost, sizes)) if sizes else report
