"""What is looked at: the object files of a file or of a package on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.cli.environment import Environment
from skep.cli.files import read_file
from skep.cli.locating import derive_reports, locate
from skep.packages.made_costs import as_made
from skep.packages.metadata import PackageMetadata


@dataclass(frozen=True, slots=True)
class Inspected:
    """An object file or a package.

    Attributes:
        heading: what people see it called.
        objects: content by title.
        program_types: by function, where the package says.
        document: what it is, for ``--json``.
        metadata: what a package's author says; ``None`` for a bare file.
    """

    heading: str
    objects: Mapping[str, bytes]
    program_types: Mapping[str, str]
    document: Mapping[str, object]
    metadata: PackageMetadata | None = None

    @property
    def title(self) -> str:
        """The heading without a package's summary."""
        return self.heading.partition("  ")[0]

    @property
    def licence(self) -> str | None:
        """SPDX expression a package declares; ``None`` for a bare file."""
        return None if self.metadata is None else self.metadata.licence

    def reports(self) -> dict[str, AnalysisReport]:
        """Derive the reports, now, from the bytes."""
        reports = derive_reports(self.objects, self.program_types)
        if self.metadata is None:
            return reports
        return {title: as_made(report, self.metadata) for title, report in reports.items()}

    def read(self) -> dict[str, ObjectFile]:
        """The objects as values."""
        return {title: read_object(data) for title, data in self.objects.items()}


def find_subject(text: str, environment: Environment) -> Inspected:
    """Find what a person named; see :func:`skep.cli.locating.locate` for the errors."""
    found = locate(text, environment)
    if isinstance(found, Path):
        objects = {found.name: read_file(found, "an object file")}
        return Inspected(str(found), objects, {}, {"file": str(found)})
    content = found.open()
    return Inspected(
        f"{found.reference}  {content.metadata.summary}",
        dict(content.objects),
        content.metadata.program_types,
        {"package": found.reference, "digest": str(found.descriptor.digest)},
        content.metadata,
    )
