"""All CO-RE records of a function, against the types of one kernel or without any."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.linking.core.fixed import KnownAnswers, is_without_kernel
from skep.bytecode.linking.core.kinds import DESCRIPTIONS, CoreKind
from skep.bytecode.linking.core.patching import patch
from skep.bytecode.linking.core.values import Resolution, resolve_local, resolve_record
from skep.bytecode.linking.errors import CannotLink
from skep.bytecode.linking.plan import Poison
from skep.bytecode.objectfile.model import CoreRelocation, Function, ObjectFile


@dataclass(slots=True)
class CoreApplier:
    """Applies the records of one object; functions that programs share are done once.

    Attributes:
        object_file: with the records.
        kernel: its types; ``None`` if they are not known: then records that need them are refused.
    """

    object_file: ObjectFile
    kernel: KernelTypes | None
    _known: KnownAnswers = field(init=False)
    _records: Mapping[str, Sequence[CoreRelocation]] = field(init=False)
    _done: dict[str, tuple[Function, tuple[Poison, ...]]] = field(default_factory=dict)
    _answers: dict[tuple[int, str, int], Resolution] = field(default_factory=dict)

    def __post_init__(self) -> None:
        records: defaultdict[str, list[CoreRelocation]] = defaultdict(list)
        for record in self.object_file.core_relocations:
            records[record.function].append(record)
        self._records = records
        self._known = KnownAnswers.of(self.object_file)

    def apply(self, function: Function) -> tuple[Function, tuple[Poison, ...]]:
        """``function`` as it is for this kernel, and where it must not be reached.

        Slots of the poisons are relative to the function.

        Raises:
            CorruptRelocation, CannotLink, MalformedBtf: see :func:`resolve_record` and
                :func:`patch`.
        """
        known = self._done.get(function.name)
        if known is None:
            known = self._apply(function)
            self._done[function.name] = known
        return known

    def _apply(self, function: Function) -> tuple[Function, tuple[Poison, ...]]:
        records = self._records.get(function.name, ())
        if not records:
            return function, ()
        code = list(function.instructions)
        poisons = []
        for record in records:
            # Asked of the object's code, not of what other records have made of it.
            if self._known.settles(record, function.instructions):
                continue
            resolution = self._resolve(record)
            if not patch(code, resolution):
                kind = CoreKind(record.kind).name
                poisons.append(Poison(record.slot, resolution.path, kind))
        return replace(function, instructions=tuple(code)), tuple(poisons)

    def _resolve(self, record: CoreRelocation) -> Resolution:
        # Records repeat: the same field is read in many places.
        question = (record.type_id, record.access, record.kind)
        answer = self._answers.get(question)
        if answer is None:
            types = self.object_file.types
            if types is None:
                raise AssertionError  # records are read only together with types
            if is_without_kernel(record):
                answer = resolve_local(record, types)
            elif self.kernel is None:
                raise _needs_kernel(record)
            else:
                answer = resolve_record(record, types, self.kernel, self.object_file.byteorder)
            self._answers[question] = answer
        return replace(answer, record=record)


def _needs_kernel(record: CoreRelocation) -> CannotLink:
    return CannotLink(
        f"function {record.function} needs a CO-RE relocation "
        f"({DESCRIPTIONS[record.kind]}, type {record.root or 'without name'}, "
        f"access {record.access}), which cannot be applied yet",
        hint="compile it without vmlinux.h and preserve_access_index",
    )
