"""Whether a map or a variable of an object file can hold a setting, told without a value.

What is refused here is refused for every value, or for the default: see
:func:`skep.packages.settings.map_entries`, which writes values.
"""

from dataclasses import dataclass

from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import MODIFIERS, Kind
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.isa.kernel_types import MAP_TYPES
from skep.bytecode.linking.constants import is_changeable
from skep.bytecode.objectfile.data_sections import is_read_only
from skep.bytecode.objectfile.model import MapSpec, Variable
from skep.errors import SkepError
from skep.packages.setting_types import split_type
from skep.packages.settings import LARGEST_ARRAY, WIDTHS, WRITABLE, SettingSpec, parse_setting

_ARRAY = MAP_TYPES["ARRAY"]
_WRITABLE_NAMES = "HASH, LRU_HASH or ARRAY"
# Types with a width of their own, in bytes; the others are as wide as what holds them.
_TYPE_BYTES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "port": 2, "boolean": 1}
_ADDRESS_BYTES = {"ipv4": 4, "ipv6": 16}
_MOST_STEPS = 32


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why something cannot hold a setting.

    Attributes:
        text: one sentence.
        hint: what to do about it; may be empty.
    """

    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class MapPlace:
    """A map of an object file.

    Attributes:
        spec: as the object declares it.
        types: of the object.
        max_entries: as the package sizes it; ``None`` if it leaves that to the object.
    """

    spec: MapSpec
    types: TypeTable | None = None
    max_entries: int | None = None

    @property
    def entries(self) -> int:
        """How many entries it has; 0 if that is chosen later."""
        return self.max_entries or self.spec.max_entries


def map_misfit(setting: SettingSpec, place: MapPlace) -> Misfit | None:
    """Why a map cannot hold a setting; ``None`` if it can."""
    spec = place.spec
    if spec.map_type not in WRITABLE or (spec.origin == "data" and is_read_only(spec.name)):
        kind = MAP_TYPE_NAMES.get(spec.map_type, f"map type {spec.map_type}")
        return Misfit(
            f"map {spec.name} is a {kind}; a setting needs a {_WRITABLE_NAMES}",
            'write constants by name: global = "NAME"' if spec.origin == "data" else "",
        )
    if setting.is_set:
        return _set_misfit(setting, place)
    if spec.key_size not in WIDTHS:
        return Misfit(f"map {spec.name} has keys of {spec.key_size} bytes; expected 1, 2, 4 or 8")
    key = setting.key or 0
    if key >= 1 << 8 * spec.key_size:
        return Misfit(f"key {key} does not fit into the {spec.key_size}-byte keys of {spec.name}")
    if spec.map_type == _ARRAY and 0 < place.entries <= key:
        return Misfit(f"key {key} is past the end of map {spec.name}, which has {place.entries}")
    what = f"a value of map {spec.name}"
    return _holder_misfit(setting, what, spec.value_size, place.types, spec.value_type_id)


def _set_misfit(setting: SettingSpec, place: MapPlace) -> Misfit | None:
    spec = place.spec
    member = setting.type[4:-1]
    if spec.value_size not in WIDTHS:
        text = f"map {spec.name} has values of {spec.value_size} bytes; expected 1, 2, 4 or 8"
        return Misfit(text)
    if spec.map_type == _ARRAY:
        if member in _ADDRESS_BYTES:
            return Misfit(
                f"map {spec.name} is an ARRAY, which numbers index; {setting.type} needs a HASH"
            )
        if place.entries > LARGEST_ARRAY:
            return Misfit(
                f"map {spec.name} has {place.entries} entries; a set in an ARRAY may have"
                f" {LARGEST_ARRAY}"
            )
        return None
    what = f"a key of map {spec.name}"
    return _holder_misfit(setting, what, spec.key_size, place.types, spec.key_type_id)


def variable_misfit(
    setting: SettingSpec, variable: Variable, types: TypeTable | None
) -> Misfit | None:
    """Why a global variable cannot hold a setting; ``None`` if it can."""
    if is_read_only(variable.section) and not is_changeable(types, variable):
        return Misfit(
            f"{variable.name} is a constant whose value the compiler has used already",
            f"declare it const volatile in the source, so that {setting.name} can be set",
        )
    type_id = 0
    if types is not None:
        found = types.find(variable.name, Kind.VAR)
        type_id = types.type(found[0]).refers_to if len(found) == 1 else 0
    return _holder_misfit(setting, f"variable {variable.name}", variable.size, types, type_id)


def _holder_misfit(
    setting: SettingSpec, what: str, size: int, types: TypeTable | None, type_id: int
) -> Misfit | None:
    """Why bytes of the object cannot hold a value of the setting's type."""
    member = setting.type[4:-1] if setting.is_set else setting.type
    if member in _ADDRESS_BYTES:
        if size == _ADDRESS_BYTES[member]:
            return None
        return Misfit(f"{member} needs {_ADDRESS_BYTES[member]} bytes, {what} has {size}")
    if size not in WIDTHS:
        return Misfit(f"{setting.type} needs 1, 2, 4 or 8 bytes, {what} has {size}")
    kind = no_number(types, type_id)
    if kind:
        return Misfit(f"{setting.type} is one number, {what} is {kind}")
    largest = (1 << 8 * size) - 1
    if setting.maximum is not None:
        needed = setting.maximum
    else:
        needed = (1 << 8 * _TYPE_BYTES.get(member, 0)) - 1
    if needed > largest:
        return Misfit(
            f"{setting.type} goes up to {needed}, {what} has {size} bytes",
            f"choose a smaller type, or maximum = {largest}",
        )
    return _default_misfit(setting, what, largest)


def _default_misfit(setting: SettingSpec, what: str, largest: int) -> Misfit | None:
    if setting.default is None or split_type(setting.type) is None:
        return None
    for value in parse_setting(setting, setting.default).members:
        if isinstance(value, int) and value > largest:
            return Misfit(f"the default {setting.default} is {value}, {what} holds {largest}")
    return None


def no_number(types: TypeTable | None, type_id: int) -> str:
    """What a type is instead of one number; empty if it is one, or not known."""
    if types is None:
        return ""
    try:
        for _ in range(_MOST_STEPS):
            found = types.type(type_id) if type_id else None
            if found is None:
                return ""
            if found.kind in MODIFIERS:
                type_id = found.refers_to
            elif found.kind == Kind.STRUCT and len(found.members) == 1:
                type_id = found.members[0].type_id
            elif found.kind == Kind.STRUCT:
                name = f"struct {found.name}" if found.name else "a struct"
                return f"{name} of {len(found.members)} members"
            else:
                return {Kind.PTR: "a pointer", Kind.FLOAT: "a floating-point number"}.get(
                    found.kind, ""
                )
    except SkepError:  # what cannot be read is not known
        return ""
    return ""
