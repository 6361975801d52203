"""Names that the kernel provides: its functions, its variables, its configuration.

Source: ``bpf_object__resolve_externs`` and ``bpf_object__relocate_data`` in
tools/lib/bpf/libbpf.c of Linux 6.18.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.layout import resolved
from skep.bytecode.btf.names import essential_name
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.codes import (
    CALL,
    LDDW,
    POISON,
    PSEUDO_BTF_ID,
    PSEUDO_KERNEL_CALL,
    PSEUDO_MAP_INDEX_VALUE,
)
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.matching import Matcher
from skep.bytecode.linking.errors import CannotLink, SettingRequired
from skep.bytecode.linking.plan import KernelName
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import Extern, ObjectFile, Relocation


@dataclass(frozen=True, slots=True)
class Resolved:
    """What an extern is on one kernel.

    Attributes:
        kind: an id in the kernel's types, an address, an offset in the map of configuration
            values, or nothing: it is weak and this kernel does not have it.
        value: the id, address or offset.
        name: what has that id or address, as the kernel calls it; empty for the others.
    """

    kind: Literal["btf_id", "address", "configuration", "missing"]
    value: int = 0
    name: str = ""


@dataclass(slots=True)
class ExternResolver:
    """Finds the externs of one object, each once: a hostile object names many, many times.

    Attributes:
        object_file: with the declarations.
        kernel: types of the kernel.
        settings: with symbols of the kernel.
        configuration: offsets of configuration values, by name.
    """

    object_file: ObjectFile
    kernel: KernelTypes
    settings: LinkSettings
    configuration: Mapping[str, int]
    _externs: Mapping[str, Extern] = field(init=False, repr=False)
    _found: dict[tuple[str, str], Resolved] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._externs = {each.name: each for each in self.object_file.extern_details}
        self._found = {}

    def resolve(self, name: str, kind: str) -> Resolved:
        """What ``name`` is.

        Args:
            kind: of the relocation that names it.

        Raises:
            CannotLink: this kernel does not have it, and it is not weak; or it is something else.
            SettingRequired: an address is needed that the settings do not tell.
        """
        found = self._found.get((name, kind))
        if found is None:
            found = self._found[name, kind] = self._resolve(name, kind)
        return found

    def kernel_name(self, relocation: Relocation, found: Resolved) -> KernelName | None:
        """What :func:`put_in` writes, in words; ``None`` if it is nothing of the kernel."""
        is_weak = self._externs[relocation.name].is_weak
        if found.kind == "address":
            return KernelName(relocation.slot, "symbol", found.name, is_weak=is_weak)
        if found.kind == "btf_id":
            is_function = self.kernel.table.kind(found.value) is Kind.FUNC
            kind: Literal["function", "variable"] = "function" if is_function else "variable"
            return KernelName(relocation.slot, kind, found.name, found.value, is_weak)
        return None

    def _resolve(self, name: str, kind: str) -> Resolved:
        extern = self._externs.get(name)
        types = self.object_file.types
        if extern is None or types is None:
            raise CannotLink(f"{name} is neither in the object nor declared as the kernel's")
        match extern.kind:
            case "kfunc":
                return self._function(extern, types)
            case "kernel_variable" if kind == "extern_address":
                return self._variable(extern, types)
            case "kconfig" if kind == "extern_address":
                return Resolved("configuration", self.configuration[name])
            case "undeclared":
                raise CannotLink(
                    f"{name} is neither in the object nor declared as the kernel's: "
                    "it loads nowhere"
                )
            case _:
                raise CannotLink(f"{name} is called and declared as a variable")

    def _function(self, extern: Extern, types: TypeTable) -> Resolved:
        # The flavour is the object's; names in the kernel may have one of their own.
        for name in dict.fromkeys((extern.name, essential_name(extern.name))):
            found = self.kernel.find(name, Kind.FUNC)
            if found:
                self._check_parameters(extern, types, found[0])
                return Resolved("btf_id", found[0], self.kernel.type(found[0]).name)
        return self._missing(extern, "function")

    def _check_parameters(self, extern: Extern, types: TypeTable, found: int) -> None:
        for local in types.find(extern.name, Kind.FUNC):
            mine = resolved(types, types.type(local).refers_to)
            theirs = resolved(self.kernel.table, self.kernel.type(found).refers_to)
            if not Matcher(types, self.kernel.table).types_compatible(mine.type_id, theirs.type_id):
                raise CannotLink(
                    f"the kernel function {extern.name} has {len(theirs.parameters)} parameters in "
                    f"this kernel and other types than the object declares "
                    f"({len(mine.parameters)} parameters)"
                )

    def _variable(self, extern: Extern, types: TypeTable) -> Resolved:
        declared = next(iter(types.find(extern.name, Kind.VAR)), 0)
        local_id = types.type(declared).refers_to
        if resolved(types, local_id).kind is Kind.VOID:
            return self._address(extern)
        found = self.kernel.find(essential_name(extern.name), Kind.VAR)
        if not found:
            return self._missing(extern, "variable")
        target_id = self.kernel.type(found[0]).refers_to
        local, target = resolved(types, local_id), resolved(self.kernel.table, target_id)
        matcher = Matcher(types, self.kernel.table)
        if not matcher.types_compatible(local.type_id, target.type_id):
            raise CannotLink(
                f"the kernel variable {extern.name} is {target.kind.name} {target.name!r} in this "
                f"kernel, the object declares {local.kind.name} {local.name!r}"
            )
        return Resolved("btf_id", found[0], self.kernel.type(found[0]).name)

    def _address(self, extern: Extern) -> Resolved:
        address = self.settings.kernel_symbols.get(extern.name)
        if address is not None:
            return Resolved("address", address & (1 << 64) - 1, extern.name)
        if extern.is_weak:
            return Resolved("missing")
        raise SettingRequired(
            f"the object needs the address of the kernel's {extern.name}",
            hint="state kernel_symbols in the settings",
        )

    def _missing(self, extern: Extern, what: str) -> Resolved:
        if extern.is_weak:
            return Resolved("missing")
        raise CannotLink(
            f"this kernel has no {what} {extern.name}, which the object requires",
            hint="it may be missing in this version or configuration, or be in a module",
        )


def put_in(
    code: list[Instruction], relocation: Relocation, found: Resolved, configuration_index: int
) -> bool:
    """Write what an extern is into the instruction that names it.

    Returns:
        False if a call was poisoned.
    """
    slot = relocation.slot
    each = code[slot]
    if relocation.kind == "extern_call":
        if found.kind != "btf_id":
            code[slot] = Instruction(CALL, immediate=POISON)
            return False
        code[slot] = Instruction(CALL, 0, PSEUDO_KERNEL_CALL, 0, found.value)
        return True
    source, low, high = 0, _signed(found.value), _signed(found.value >> 32)
    if found.kind == "btf_id":
        source = PSEUDO_BTF_ID
    elif found.kind == "configuration":
        source, low, high = PSEUDO_MAP_INDEX_VALUE, configuration_index, found.value
    code[slot] = Instruction(LDDW, each.dst, source, 0, low)
    code[slot + 1] = Instruction(0, 0, 0, 0, high)
    return True


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
