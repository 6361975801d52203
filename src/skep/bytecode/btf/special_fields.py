"""Fields of map values that the kernel itself keeps: locks, timers, pointers it owns.

It finds them by type, so a map that has one is of use only if it is made with its types.

Source: ``btf_get_field_type`` and ``btf_find_kptr`` in kernel/bpf/btf.c of Linux 6.18.
"""

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import MODIFIERS, Kind

_STRUCTS = frozenset(
    {
        "bpf_spin_lock",
        "bpf_res_spin_lock",
        "bpf_timer",
        "bpf_wq",
        "bpf_task_work",
        "bpf_list_head",
        "bpf_rb_root",
        "bpf_refcount",
    }
)
_TAGS = frozenset({"kptr", "kptr_untrusted", "percpu_kptr", "uptr"})
_MOST_TYPES = 10_000  # looked at for one value; the most seen in a value is below 100


def special_fields(types: TypeTable, type_id: int) -> frozenset[str]:
    """Names of what the kernel keeps in a value of this type: structs, and tags of pointers.

    Args:
        type_id: of the value; a DATASEC stands for its variables.

    Raises:
        MalformedBtf: the value refers to a type that is not there, or to too many.
    """
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [type_id]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if len(seen) > _MOST_TYPES:
            raise MalformedBtf(f"expected a value of at most {_MOST_TYPES} types")
        each = types.type(current)
        match each.kind:
            case Kind.STRUCT if each.name in _STRUCTS:
                found.add(each.name)
            case Kind.STRUCT | Kind.UNION:
                waiting += [member.type_id for member in each.members]
            case Kind.DATASEC:
                waiting += [variable.type_id for variable in each.variables]
            case Kind.PTR:
                # What it points to is not part of the value, only its tags are looked at.
                found |= _tags(types, each.refers_to)
            case Kind.ARRAY | Kind.VAR:
                waiting.append(each.refers_to)
            case kind if kind in MODIFIERS:
                waiting.append(each.refers_to)
            case _:
                pass
    return frozenset(found)


def _tags(types: TypeTable, type_id: int) -> set[str]:
    found: set[str] = set()
    for _ in range(64):
        each = types.type(type_id)
        if each.kind not in MODIFIERS:
            break
        if each.kind is Kind.TYPE_TAG and each.name in _TAGS:
            found.add(each.name)
        type_id = each.refers_to
    return found
