"""Values of the kernel's configuration that programs ask for (``extern … __kconfig``).

They are put one after the other into a read-only map, largest alignment first.

Source: ``bpf_object__collect_externs``, ``find_kcfg_type`` and ``set_kcfg_value_*`` in
tools/lib/bpf/libbpf.c of Linux 6.18.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from skep.bytecode.btf.layout import resolved, size_of
from skep.bytecode.btf.names import essential_name
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import BtfType, Kind
from skep.bytecode.isa.kernel_types import MAP_TYPES
from skep.bytecode.linking.errors import CannotLink, SettingRequired
from skep.bytecode.linking.plan import MapPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.data_sections import READ_ONLY
from skep.bytecode.objectfile.model import Extern

MAP_NAME = ".kconfig"
_VERSION = "LINUX_KERNEL_VERSION"
_PREFIX = "CONFIG_"
# Not options, but known from one: y if the kernel has it. BPF_KSYSCALL of bpf_tracing.h asks.
_KNOWN_FROM = {"LINUX_HAS_SYSCALL_WRAPPER": "CONFIG_ARCH_HAS_SYSCALL_WRAPPER"}
_ARRAY = MAP_TYPES["ARRAY"]
_KEY = b"\0\0\0\0"
_MOST_BYTES = 1 << 20
# As Kconfig writes them; a zero in front would make it octal to some readers.
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]{1,16}|0|[1-9][0-9]{0,19})")
_SIGNED, _CHARACTER, _BOOLEAN = 1, 2, 4
_TRISTATE = {"n": 0, "y": 1, "m": 2}


class _Form(Enum):
    BOOLEAN = "y or n"
    TRISTATE = "y, n or m"
    CHARACTER = "y, n, m or a number"
    NUMBER = "a number"
    TEXT = "text in double quotes"


@dataclass(frozen=True, slots=True)
class _Declared:
    name: str
    form: _Form
    size: int
    alignment: int
    is_signed: bool
    is_weak: bool


@dataclass(frozen=True, slots=True)
class ConfigurationMap:
    """The map, and where each value is in it.

    Attributes:
        plan: of the map.
        offsets: bytes, by name of the extern.
    """

    plan: MapPlan
    offsets: Mapping[str, int]


def plan_configuration(
    externs: Iterable[Extern], types: TypeTable, settings: LinkSettings
) -> ConfigurationMap:
    """Lay out and fill in the values of ``externs``.

    Raises:
        SettingRequired: the configuration or version is not known.
        CannotLink: a value is missing, or is not of the declared type.
    """
    declared = _declarations(externs, types)
    offsets: dict[str, int] = {}
    content = bytearray()
    for each in declared:
        content.extend(bytes(-len(content) % each.alignment))
        offsets[each.name] = len(content)
        content.extend(_value(each, settings))
        if len(content) > _MOST_BYTES:
            raise CannotLink(f"expected at most {_MOST_BYTES} bytes of configuration values")
    plan = MapPlan(
        name=MAP_NAME,
        map_type=_ARRAY,
        key_size=4,
        value_size=len(content),
        max_entries=1,
        flags=READ_ONLY,
        contents=((_KEY, bytes(content)),) if any(content) else (),
        frozen=True,
        layout=" ".join(f"{name}:{offset}" for name, offset in offsets.items()),
    )
    return ConfigurationMap(plan, MappingProxyType(offsets))


def _declarations(externs: Iterable[Extern], types: TypeTable) -> list[_Declared]:
    wanted = {extern.name: extern for extern in externs if extern.kind == "kconfig"}
    found = []
    for section in types.find(MAP_NAME, Kind.DATASEC):
        for entry in types.type(section).variables:
            variable = types.type(entry.type_id)
            extern = wanted.pop(variable.name, None)
            if extern is not None:
                found.append(_declared(types, extern, variable))
    found.sort(key=lambda each: (-each.alignment, each.size, each.name))
    return found


def _declared(types: TypeTable, extern: Extern, variable: BtfType) -> _Declared:
    kind = resolved(types, variable.refers_to)
    size = size_of(types, variable.refers_to)
    alignment = size
    is_signed = bool(kind.encoding & _SIGNED)
    form: _Form | None = None
    match kind.kind:
        case Kind.INT if kind.encoding & _BOOLEAN:
            form = _Form.BOOLEAN if size == 1 else None
        case Kind.INT if size in (1, 2, 4, 8):
            form = _Form.CHARACTER if size == 1 else _Form.NUMBER
        case Kind.ENUM | Kind.ENUM64 if (
            size == 4 and essential_name(kind.name) == "libbpf_tristate"
        ):
            form = _Form.TRISTATE
        case Kind.ARRAY:
            element = resolved(types, kind.refers_to)
            alignment = 1
            is_text = element.kind is Kind.INT and element.size == 1 and kind.elements
            form = _Form.TEXT if is_text and not element.encoding & _BOOLEAN else None
        case _:
            pass
    if size > _MOST_BYTES:  # before anything of that size is made
        raise CannotLink(f"{extern.name}: expected at most {_MOST_BYTES} bytes, it has {size}")
    if form is None:
        raise CannotLink(f"{extern.name}: values of the configuration cannot be of its type")
    return _Declared(extern.name, form, size, alignment, is_signed, extern.is_weak)


def _value(declared: _Declared, settings: LinkSettings) -> bytes:
    if declared.name == _VERSION:
        if not settings.kernel_version:
            raise SettingRequired(
                "the object asks for the version of the kernel",
                hint="state kernel_version in the settings",
            )
        return _fitting(declared, str(settings.kernel_version), settings)
    text: str | None = None
    option = _KNOWN_FROM.get(declared.name, declared.name)
    if option.startswith(_PREFIX):
        if settings.kernel_config is None and not declared.is_weak:
            raise SettingRequired(
                f"the object asks for {option} of the kernel's configuration",
                hint="state kernel_config in the settings",
            )
        text = (settings.kernel_config or {}).get(option)
    if text is None and option != declared.name and settings.kernel_config is not None:
        text = "n"
    if text is None:
        if declared.is_weak:
            return bytes(declared.size)
        raise CannotLink(
            f"this kernel's configuration has no {declared.name}, which the object requires"
        )
    return _fitting(declared, text, settings)


def _fitting(declared: _Declared, text: str, settings: LinkSettings) -> bytes:
    encoded = _encode(declared, text, settings)
    if encoded is None:
        raise CannotLink(
            f"{declared.name}: expected {declared.form.value} for its type of {declared.size} "
            f"bytes, this kernel has {text[:80]!r}"
        )
    return encoded


def _encode(declared: _Declared, text: str, settings: LinkSettings) -> bytes | None:
    match declared.form:
        case _Form.TEXT:
            if len(text) < 2 or text[0] != '"' or text[-1] != '"':
                return None
            # The last byte stays zero, and a longer text is cut.
            return text[1:-1].encode()[: declared.size - 1].ljust(declared.size, b"\0")
        case _Form.BOOLEAN if text in ("y", "n"):
            return bytes([text == "y"])
        case _Form.TRISTATE if text in _TRISTATE:
            return _TRISTATE[text].to_bytes(4, settings.byteorder)
        case _Form.CHARACTER if text in _TRISTATE:
            return text.encode()
        case _Form.CHARACTER | _Form.NUMBER if _NUMBER.fullmatch(text):
            number = int(text, 16 if "x" in text.lower() else 10)
            if declared.size == 8 and -(1 << 63) <= number < 1 << 64:  # whatever the sign
                return (number & (1 << 64) - 1).to_bytes(8, settings.byteorder)
            try:
                return number.to_bytes(declared.size, settings.byteorder, signed=declared.is_signed)
            except OverflowError:
                return None
        case _:
            return None
