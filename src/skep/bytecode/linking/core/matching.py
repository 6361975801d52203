"""Which types and fields of a kernel a CO-RE record may mean.

Rules and their sources, all in tools/lib/bpf/relo_core.c of Linux 6.18:

* fields (``bpf_core_fields_are_compat``): any two structs or unions; pointers and floats always;
  integers of whatever size and sign; enums and forward declarations by name; arrays by element.
* types (``__bpf_core_types_are_compat``): the same kind, and what pointers, arrays and prototypes
  refer to likewise.
* matching types (``__bpf_core_types_match``): every member and enumerator of the object's type is
  in the kernel's, with a type that matches; behind a pointer only the names of structs count.
* members (``bpf_core_match_member``) are found by full name, through anonymous structs.

Both sides may be hostile, so the work for one record is counted and bounded.
"""

from dataclasses import dataclass

from skep.bytecode.btf.layout import resolved, size_of
from skep.bytecode.btf.names import essential_name
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import BtfType, Kind
from skep.bytecode.linking.core.access import (
    COMPOSITES,
    ENUMS,
    MOST_STEPS,
    Access,
    Step,
    is_flexible,
)
from skep.bytecode.linking.errors import CannotLink

_DEPTH = 32
_MOST_WORK = 1_000_000  # comparisons for one candidate; matching task_struct takes a few thousand
_SIGNED = 1  # BTF_INT_SIGNED


def same_kind(local: BtfType, target: BtfType) -> bool:
    """Whether the kinds are the same; ENUM and ENUM64 count as one."""
    return local.kind is target.kind or (local.kind in ENUMS and target.kind in ENUMS)


def _same_name(local: str, target: str) -> bool:
    return essential_name(local) == essential_name(target)


@dataclass(slots=True)
class Matcher:
    """Compares types of an object (``local``) with those of a kernel (``target``)."""

    local: TypeTable
    target: TypeTable
    _work: int = 0

    def enumerator(self, access: Access, root_id: int) -> Access | None:
        """The enumerator with the name of the one in ``access``, flavours ignored."""
        wanted = essential_name(access.steps[0].name or "")
        found = resolved(self.target, root_id)
        if found.kind not in ENUMS:
            return None
        for index, each in enumerate(found.enumerators):
            if essential_name(each.name) == wanted:
                return Access(root_id, (Step(found.type_id, index, each.name),))
        return None

    def field(self, access: Access, root_id: int) -> Access | None:
        """The field of the target that ``access`` means, ``None`` if it has none.

        Raises:
            CannotLink: if types are nested too deep.
            MalformedBtf: if types of the target make no sense.
        """
        self._work = 0
        steps: list[Step] = []
        bit_offset = 0
        type_id = root_id
        for number, step in enumerate(access.steps):
            if step.name is not None:
                member = self._member(step, type_id, _DEPTH)
                if member is None:
                    return None
                found, type_id, offset = member
                steps.append(found)
                bit_offset += offset
                continue
            current = resolved(self.target, type_id)
            if number:
                if current.kind is not Kind.ARRAY:
                    return None
                if step.index >= current.elements and not is_flexible(
                    self.target, steps[-1], current
                ):
                    return None
                current = resolved(self.target, current.refers_to)
            type_id = current.type_id
            steps.append(Step(type_id, step.index))
            bit_offset += step.index * size_of(self.target, type_id) * 8
        return Access(root_id, tuple(steps), bit_offset)

    def _member(self, step: Step, type_id: int, depth: int) -> tuple[Step, int, int] | None:
        """The step, the member's type and its bit offset in the type ``type_id``."""
        self._count(depth)
        struct = resolved(self.target, type_id)
        if struct.kind not in COMPOSITES:
            return None
        local = self.local.type(step.type_id).members[step.index]
        for index, member in enumerate(struct.members):
            if not member.name:
                inner = self._member(step, member.type_id, depth - 1)
                if inner is not None:
                    return inner[0], inner[1], inner[2] + member.bit_offset
            elif member.name == step.name:
                if not self._fields_compatible(local.type_id, member.type_id):
                    return None
                found = Step(struct.type_id, index, member.name)
                return found, member.type_id, member.bit_offset
        return None

    def _fields_compatible(self, local_id: int, target_id: int) -> bool:
        for _ in range(_DEPTH):
            local, target = resolved(self.local, local_id), resolved(self.target, target_id)
            if local.kind in COMPOSITES and target.kind in COMPOSITES:
                return True
            if not same_kind(local, target):
                return False
            match local.kind:
                case Kind.PTR | Kind.FLOAT:
                    return True
                case Kind.FWD | Kind.ENUM | Kind.ENUM64:
                    return not local.name or not target.name or _same_name(local.name, target.name)
                case Kind.INT:
                    return local.bit_offset == 0 and target.bit_offset == 0
                case Kind.ARRAY:
                    local_id, target_id = local.refers_to, target.refers_to
                case _:
                    return False
        raise _too_deep()

    def types_compatible(self, local_id: int, target_id: int) -> bool:
        """Whether two types of one name may stand for each other.

        Raises:
            CannotLink: if types are nested too deep.
        """
        self._work = 0
        if not same_kind(self.local.type(local_id), self.target.type(target_id)):
            return False
        return self._compatible(local_id, target_id, _DEPTH)

    def _compatible(self, local_id: int, target_id: int, level: int) -> bool:
        for _ in range(_DEPTH):
            self._count(level)
            local, target = resolved(self.local, local_id), resolved(self.target, target_id)
            if not same_kind(local, target):
                return False
            match local.kind:
                case Kind.VOID | Kind.STRUCT | Kind.UNION | Kind.ENUM | Kind.ENUM64 | Kind.FWD:
                    return True
                case Kind.INT:
                    return local.bit_offset == 0 and target.bit_offset == 0
                case Kind.PTR | Kind.ARRAY:
                    pass
                case Kind.FUNC_PROTO:
                    if len(local.parameters) != len(target.parameters):
                        return False
                    for mine, theirs in zip(local.parameters, target.parameters, strict=True):
                        if not self._compatible(mine.type_id, theirs.type_id, level - 1):
                            return False
                case _:
                    return False
            local_id, target_id = local.refers_to, target.refers_to
        raise _too_deep()

    def types_match(self, local_id: int, target_id: int) -> bool:
        """Whether all that the object's type has is in the kernel's.

        Raises:
            CannotLink: if types are nested too deep.
        """
        self._work = 0
        return self._match(local_id, target_id, is_behind_pointer=False, level=_DEPTH)

    def _match(self, local_id: int, target_id: int, *, is_behind_pointer: bool, level: int) -> bool:
        for _ in range(_DEPTH):
            self._count(level)
            local, target = resolved(self.local, local_id), resolved(self.target, target_id)
            if not _same_name(local.name, target.name):
                return False
            match local.kind:
                case Kind.VOID:
                    return target.kind is Kind.VOID
                case Kind.FWD:
                    return _forward_matches(local, target, is_behind_pointer=is_behind_pointer)
                case Kind.ENUM | Kind.ENUM64:
                    return target.kind in ENUMS and _enumerators_match(local, target)
                case Kind.STRUCT | Kind.UNION:
                    if is_behind_pointer:
                        return _struct_behind_pointer_matches(local, target)
                    return local.kind is target.kind and self._members_match(local, target, level)
                case Kind.INT:
                    return (
                        target.kind is Kind.INT
                        and local.size == target.size
                        and local.encoding & _SIGNED == target.encoding & _SIGNED
                    )
                case Kind.PTR:
                    if target.kind is not Kind.PTR:
                        return False
                    is_behind_pointer = True
                case Kind.ARRAY:
                    if target.kind is not Kind.ARRAY or local.elements != target.elements:
                        return False
                case Kind.FUNC_PROTO:
                    if not self._parameters_match(
                        local, target, is_behind_pointer=is_behind_pointer, level=level
                    ):
                        return False
                case _:
                    return False
            local_id, target_id = local.refers_to, target.refers_to
        raise _too_deep()

    def _members_match(self, local: BtfType, target: BtfType, level: int) -> bool:
        if len(local.members) > len(target.members):
            return False
        return all(
            any(
                _same_name(mine.name, theirs.name)
                and self._match(
                    mine.type_id, theirs.type_id, is_behind_pointer=False, level=level - 1
                )
                for theirs in target.members
            )
            for mine in local.members
        )

    def _parameters_match(
        self, local: BtfType, target: BtfType, *, is_behind_pointer: bool, level: int
    ) -> bool:
        if target.kind is not Kind.FUNC_PROTO or len(local.parameters) != len(target.parameters):
            return False
        return all(
            self._match(
                mine.type_id, theirs.type_id, is_behind_pointer=is_behind_pointer, level=level - 1
            )
            for mine, theirs in zip(local.parameters, target.parameters, strict=True)
        )

    def _count(self, level: int) -> None:
        self._work += 1
        if level <= 0 or self._work > _MOST_WORK:
            raise _too_deep()


def _forward_matches(local: BtfType, target: BtfType, *, is_behind_pointer: bool) -> bool:
    if target.kind is Kind.FWD:
        return local.is_flagged == target.is_flagged
    wanted = Kind.UNION if local.is_flagged else Kind.STRUCT
    return is_behind_pointer and target.kind is wanted


def _struct_behind_pointer_matches(local: BtfType, target: BtfType) -> bool:
    if target.kind is Kind.FWD:
        return (local.kind is Kind.UNION) == target.is_flagged
    return local.kind is target.kind


def _enumerators_match(local: BtfType, target: BtfType) -> bool:
    if local.size != target.size or len(local.enumerators) > len(target.enumerators):
        return False
    known = {essential_name(each.name) for each in target.enumerators}
    return all(essential_name(each.name) in known for each in local.enumerators)


def _too_deep() -> CannotLink:
    return CannotLink(
        f"expected types nested at most {MOST_STEPS // 2} deep in a CO-RE record",
        hint="the object was made by hand or damaged; compile it again",
    )
