"""Names of the fields of structures that code accesses, as its CO-RE records tell."""

from collections.abc import Mapping, Sequence

from skep.bytecode.analysis.assumptions import path_of, without_flavour
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.objectfile.model import CoreRelocation, ObjectFile


class FieldNames:
    """Fields by the instruction that has to do with them.

    A name is the author's word. A loader looks for it in the kernel's types, so it is right for
    what runs; nothing is ever *excluded* for a name.
    """

    def __init__(self, object_file: ObjectFile) -> None:
        self._object_file = object_file
        self._records: dict[str, list[CoreRelocation]] | None = None

    def at(self, function: str, slot: int) -> str:
        """``task_struct.mm``, or nothing."""
        for record in self._by_function().get(function, ()):
            if record.slot == slot:
                return self.name_of(record)
        return ""

    def slots(self, function: str) -> frozenset[int]:
        """Instructions of a function that a loader may change."""
        return frozenset(record.slot for record in self._by_function().get(function, ()))

    def name_of(self, record: CoreRelocation) -> str:
        """The field a record is about."""
        path = path_of(self._object_file.types, record)
        root = without_flavour(record.root)
        return f"{root}.{path}" if path else root

    def about(self, function: str, roots: frozenset[str]) -> list[CoreRelocation]:
        """Records about fields of certain structures."""
        return [
            record
            for record in self._by_function().get(function, ())
            if record.kind == CoreKind.FIELD_BYTE_OFFSET and without_flavour(record.root) in roots
        ]

    def _by_function(self) -> Mapping[str, Sequence[CoreRelocation]]:
        if self._records is None:
            self._records = {}
            for record in self._object_file.core_relocations:
                self._records.setdefault(record.function, []).append(record)
        return self._records
