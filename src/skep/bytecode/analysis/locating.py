"""Where findings are: slots of sections, and source lines."""

from skep.bytecode.analysis.findings import CodeFinding
from skep.bytecode.analysis.report import Evidence
from skep.bytecode.objectfile.model import ObjectFile, SourceLine
from skep.bytecode.objectfile.records import line_at


class Locator:
    """Finds section slots and source lines of findings."""

    def __init__(self, object_file: ObjectFile) -> None:
        self._functions = {function.name: function for function in object_file.functions}
        self._source_lines = object_file.source_lines

    def evidence(self, finding: CodeFinding) -> Evidence:
        """The finding as it stands in a report."""
        function = self._functions.get(finding.function)
        line = None if finding.slot is None else self.line(finding.function, finding.slot)
        return Evidence(
            program=finding.program,
            kind=finding.kind,
            what=finding.what,
            function=finding.function,
            slot=finding.slot,
            section_slot=(
                None
                if function is None or finding.slot is None
                else function.section_slot + finding.slot
            ),
            file="" if line is None else line.file,
            line=None if line is None else line.line,
            text="" if line is None else line.text.strip(),
        )

    def line(self, function: str, slot: int) -> SourceLine | None:
        """The last line that starts at or before the slot."""
        return line_at(self._source_lines, function, slot)
