"""Where findings are: slots of sections, and source lines."""

from bisect import bisect_right

from skep.bytecode.analysis.findings import Finding
from skep.bytecode.analysis.report import Evidence
from skep.bytecode.objectfile.model import ObjectFile, SourceLine


class Locator:
    """Finds section slots and source lines of findings."""

    def __init__(self, object_file: ObjectFile) -> None:
        """Source lines are sorted when the first one is asked for."""
        self._functions = {function.name: function for function in object_file.functions}
        self._source_lines = object_file.source_lines
        self._lines: dict[str, list[SourceLine]] | None = None

    def evidence(self, finding: Finding) -> Evidence:
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
        if self._lines is None:
            self._lines = {}
            for line in self._source_lines:
                self._lines.setdefault(line.function, []).append(line)
            for lines in self._lines.values():
                lines.sort(key=_slot_of)
        lines = self._lines.get(function, [])
        position = bisect_right(lines, slot, key=_slot_of)
        return lines[position - 1] if position else None


def _slot_of(line: SourceLine) -> int:
    return line.slot
