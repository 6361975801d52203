"""Names of the fields of structures that code accesses, as its CO-RE records tell."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from skep.bytecode.analysis.assumptions import path_of, without_flavour
from skep.bytecode.analysis.control_flow import FunctionFlow
from skep.bytecode.linking.core.fixed import STABLE_TYPES
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.objectfile.model import CoreRelocation, ObjectFile

_MEMORY = frozenset({1, 2, 3})  # classes LDX, ST and STX


def is_of_kernel(name: str) -> bool:
    """Whether a field is one of a structure of the kernel: no context, no header of a packet."""
    return bool(name) and name.partition(".")[0] not in STABLE_TYPES


class FieldNames:
    """Fields by the instruction that has to do with them.

    A name is the author's word. A loader looks for it in the kernel's types, so it is right for
    what runs; nothing is ever *excluded* for a name.
    """

    def __init__(self, object_file: ObjectFile, *, is_linked: bool = False) -> None:
        """Read the records of an object.

        Args:
            is_linked: the loader has put its values in, so that no instruction changes any more.
        """
        self._object_file = object_file
        self._is_linked = is_linked
        self._records: dict[str, list[CoreRelocation]] | None = None
        self._names: dict[tuple[int, str], str] = {}

    def at(self, function: str, slot: int) -> str:
        """``task_struct.mm``, or nothing."""
        for record in self._by_function().get(function, ()):
            if record.slot == slot:
                return self.name_of(record)
        return ""

    def slots(self, function: str) -> frozenset[int]:
        """Instructions of a function that a loader may change."""
        if self._is_linked:
            return frozenset()
        return frozenset(record.slot for record in self._by_function().get(function, ()))

    def name_of(self, record: CoreRelocation) -> str:
        """The field a record is about."""
        known = self._names.get((record.type_id, record.access))
        if known is None:
            path = path_of(self._object_file.types, record)
            root = without_flavour(record.root)
            known = f"{root}.{path}" if path else root
            self._names[record.type_id, record.access] = known
        return known

    def about(self, function: str, roots: frozenset[str]) -> list[CoreRelocation]:
        """Records about fields of certain structures."""
        return [
            record
            for record in self._by_function().get(function, ())
            if record.kind == CoreKind.FIELD_BYTE_OFFSET and without_flavour(record.root) in roots
        ]

    def addressed(self, flows: Iterable[FunctionFlow]) -> tuple[str, ...]:
        """Fields whose address reachable code computes, for a call to read there.

        Contexts and headers of packets are left out.
        """
        found: dict[str, None] = {}
        for flow in flows:
            records = self._by_function().get(flow.function.name)
            if not records:
                continue
            reached = flow.reached()
            starts = [start for start, _ in reached]
            for record in records:
                position = bisect_right(starts, record.slot) - 1
                if (
                    record.kind == CoreKind.FIELD_BYTE_OFFSET
                    and position >= 0
                    and record.slot < reached[position][1]
                    and flow.opcodes[record.slot] & 7 not in _MEMORY
                    and is_of_kernel(name := self.name_of(record))
                ):
                    found[name] = None
        return tuple(found)

    def _by_function(self) -> Mapping[str, Sequence[CoreRelocation]]:
        if self._records is None:
            self._records = {}
            for record in self._object_file.core_relocations:
                self._records.setdefault(record.function, []).append(record)
        return self._records
