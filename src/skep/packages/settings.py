"""Settings: typed values an operator may change, and the map entries or globals they become.

Numbers are written little-endian in as many bytes as the map or variable has, which is what a
program compiled for ``bpfel`` reads as ``__u8`` to ``__u64``. Addresses are written as on the
wire, as a program finds them in a packet. A set becomes one entry per member with the value 1; in
an array every index that is no member becomes 0.
"""

from dataclasses import dataclass

from skep.bytecode.isa.kernel_types import MAP_TYPES
from skep.bytecode.linking.plan import MapPlan
from skep.packages.errors import UnusableSetting, WrongSetting
from skep.packages.fields import Fields, shown
from skep.packages.names import is_identifier, is_map_name, is_one_line, one_line
from skep.packages.setting_types import LARGEST, SCALAR_TYPES, Scalar, ScalarType, split_type

# include/uapi/linux/bpf.h, enum bpf_map_type. Per-CPU maps would need a value per CPU.
WRITABLE = frozenset(MAP_TYPES[name] for name in ("HASH", "ARRAY", "LRU_HASH"))
_ARRAY = MAP_TYPES["ARRAY"]
WIDTHS = (1, 2, 4, 8)  # bytes a C integer can have
_SIZE_TYPES = frozenset({"u8", "u16", "u32", "u64", "integer", "size", "bytes"})
_MOST_ENTRIES = 2**32 - 1
_LONGEST_TEXT = 1024 * 1024  # characters; a set of all ports needs less
LARGEST_ARRAY = 65_536  # entries written for a set in an array


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """A setting as the author declares it.

    Attributes:
        name: what people type before ``=``.
        type: see :mod:`skep.packages.setting_types`.
        map: map it is written to, or ``None``.
        key: number of the key in that map; ``None`` means 0. Sets make their own keys.
        variable: global variable it is written to (``global`` in the TOML), or ``None``.
        default: text, valid for the type; ``None``: nothing is written unless it is set.
        help: one line for people.
        minimum: smallest number allowed, in the unit of the program; ``None``: the type's.
        maximum: largest number allowed.
        max_entries_of: map whose number of entries it is, or ``None``. It is chosen when the
            program is installed, and stays: the kernel cannot resize a map.
    """

    name: str
    type: str
    map: str | None = None
    key: int | None = None
    variable: str | None = None
    default: str | None = None
    help: str = ""
    minimum: int | None = None
    maximum: int | None = None
    max_entries_of: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether the setting has several values; then old entries must go when it changes."""
        return self.type.startswith("set[")

    @property
    def default_text(self) -> str | None:
        """Text that counts if nobody chooses one; ``None`` if nothing is written then."""
        # A set without a default is empty, so that what was in it goes when nobody sets it.
        return "" if self.is_set and self.default is None else self.default


@dataclass(frozen=True, slots=True)
class SettingValue:
    """A value of a setting.

    Attributes:
        spec: whose value this is.
        text: as people write it; sets in order and without doubles.
        members: the value, or the members of a set.
    """

    spec: SettingSpec
    text: str
    members: tuple[Scalar, ...]


def _scalar_type(spec: SettingSpec) -> ScalarType:
    found = split_type(spec.type)
    if found is None:
        raise UnusableSetting(
            f"setting {spec.name}: there is no type {one_line(spec.type, 40)!r}",
            hint=f"types: {', '.join(SCALAR_TYPES)}, and set[…] of them",
        )
    return found[0]


def _parse_scalar(spec: SettingSpec, scalar: ScalarType, text: str) -> Scalar:
    value = scalar.parse(text)
    expected = scalar.expected
    if isinstance(value, int):
        minimum = scalar.minimum if spec.minimum is None else spec.minimum
        maximum = scalar.maximum if spec.maximum is None else spec.maximum
        if minimum <= value <= maximum:
            return value
        if minimum > scalar.minimum or maximum < scalar.maximum:
            expected += f", at least {minimum} and at most {maximum}"
    elif value is not None:
        return value
    raise WrongSetting(
        f"setting {spec.name}: expected {expected}, got {one_line(text, 60)!r}",
        hint=f"for example {spec.name}={_example(spec, scalar)}",
    )


def _example(spec: SettingSpec, scalar: ScalarType) -> str:
    return spec.default if spec.default else scalar.example


def parse_setting(spec: SettingSpec, text: str) -> SettingValue:
    """Read a value as a person typed it.

    Raises:
        WrongSetting: it is not a value of the type, or out of the author's bounds.
        UnusableSetting: the specification itself names an unknown type.
    """
    scalar = _scalar_type(spec)
    if len(text) > _LONGEST_TEXT:
        raise WrongSetting(f"setting {spec.name}: {len(text)} characters are too many")
    text = text.strip()
    if not spec.is_set:
        return SettingValue(spec, text, (_parse_scalar(spec, scalar, text),))
    items = [item.strip() for item in text.split(",")] if text else []
    members = {_parse_scalar(spec, scalar, item): item for item in items}
    # Numbers by size, bytes by content; one type never mixes both.
    ordered = sorted(members, key=lambda member: (member if isinstance(member, int) else 0, member))
    return SettingValue(spec, ",".join(members[member] for member in ordered), tuple(ordered))


def _number_bytes(spec: SettingSpec, number: int, width: int, what: str) -> bytes:
    if width not in WIDTHS:
        raise UnusableSetting(
            f"setting {spec.name}: expected {what} of 1, 2, 4 or 8 bytes, it has {width}"
        )
    if number >= 1 << 8 * width:
        raise WrongSetting(
            f"setting {spec.name}: {number} does not fit into {what} of {width} bytes",
            hint=f"the largest number that fits is {(1 << 8 * width) - 1}",
        )
    return number.to_bytes(width, "little")


def _scalar_bytes(spec: SettingSpec, value: Scalar, width: int, what: str) -> bytes:
    if isinstance(value, int):
        return _number_bytes(spec, value, width, what)
    if len(value) != width:
        raise UnusableSetting(
            f"setting {spec.name}: expected {what} of {len(value)} bytes, it has {width}"
        )
    return value


def map_entries(value: SettingValue, map_plan: MapPlan) -> dict[bytes, bytes]:
    """What to write into the map for ``value``.

    For a set these are all the entries there may be: before writing them into a hash, delete the
    others.

    Raises:
        UnusableSetting: the package's map cannot hold such a setting.
        WrongSetting: a number is too large for the map, or a set has too many members.
    """
    spec = value.spec
    if map_plan.map_type not in WRITABLE or map_plan.frozen:
        raise UnusableSetting(
            f"setting {spec.name}: map {map_plan.name} is no writable hash or array"
            f" (type {map_plan.map_type})"
        )
    if not spec.is_set:
        key = _number_bytes(spec, spec.key or 0, map_plan.key_size, "a key")
        if map_plan.map_type == _ARRAY and (spec.key or 0) >= map_plan.max_entries:
            raise UnusableSetting(
                f"setting {spec.name}: key {spec.key} is past the end of map {map_plan.name},"
                f" which has {map_plan.max_entries} entries"
            )
        (member,) = value.members
        return {key: _scalar_bytes(spec, member, map_plan.value_size, "a value")}
    yes = _number_bytes(spec, 1, map_plan.value_size, "a value")
    if map_plan.map_type == _ARRAY:
        return _array_entries(value, map_plan, yes)
    if len(value.members) > map_plan.max_entries:
        raise WrongSetting(
            f"setting {spec.name}: expected at most {map_plan.max_entries} values,"
            f" got {len(value.members)}"
        )
    return {
        _scalar_bytes(spec, member, map_plan.key_size, "a key"): yes for member in value.members
    }


def _array_entries(value: SettingValue, map_plan: MapPlan, yes: bytes) -> dict[bytes, bytes]:
    spec = value.spec
    if map_plan.key_size != 4 or map_plan.max_entries > LARGEST_ARRAY:
        raise UnusableSetting(
            f"setting {spec.name}: expected a map of at most {LARGEST_ARRAY} entries,"
            f" {map_plan.name} has {map_plan.max_entries}"
        )
    no = bytes(len(yes))
    entries = {index.to_bytes(4, "little"): no for index in range(map_plan.max_entries)}
    for member in value.members:
        if not isinstance(member, int):
            raise UnusableSetting(
                f"setting {spec.name}: map {map_plan.name} is an array, which numbers index"
            )
        if member >= map_plan.max_entries:
            raise WrongSetting(
                f"setting {spec.name}: expected numbers below {map_plan.max_entries}, got {member}"
            )
        entries[member.to_bytes(4, "little")] = yes
    return entries


def variable_bytes(value: SettingValue, size: int) -> bytes:
    """Content of the global variable of ``size`` bytes for ``value``.

    Raises:
        UnusableSetting: a variable of this size cannot hold such a setting.
        WrongSetting: the number is too large for it.
    """
    if value.spec.is_set:
        raise UnusableSetting(f"setting {value.spec.name}: a set needs a map, not a variable")
    (member,) = value.members
    return _scalar_bytes(value.spec, member, size, "a variable")


def _default_text(fields: Fields) -> str | None:
    """The default as people would type it; TOML lets authors write ``80`` or ``[80, 443]``."""
    default = fields.anything("default")
    items = default if isinstance(default, list) else [default]
    if default is None:
        return None
    texts = []
    for item in items:
        if isinstance(item, bool):
            texts.append("true" if item else "false")
        elif isinstance(item, int) and 0 <= item <= LARGEST:
            texts.append(str(item))
        elif isinstance(item, str):
            texts.append(item)
        else:
            fields.problem(
                "default",
                f"expected a string, a whole number from 0 to {LARGEST}, a boolean or a list, "
                f"got {shown(item)}",
            )
            return None
    return ",".join(texts)


def _bound(fields: Fields, key: str, scalar: ScalarType | None) -> int | None:
    """A bound as people would type it, or as the bare number the program gets."""
    bound = fields.anything(key)
    if bound is None or scalar is None:
        return None
    if not scalar.is_number:
        fields.problem(key, "values of this type have no order")
        return None
    value = scalar.parse(bound) if isinstance(bound, str) else bound
    if isinstance(value, bool) or not isinstance(value, int):
        value = None
    if value is None or not scalar.minimum <= value <= scalar.maximum:
        fields.problem(key, f"expected {scalar.expected}, got {shown(bound)}")
        return None
    return value


def _size_bounds(
    fields: Fields, kind: str, minimum: int | None, maximum: int | None
) -> tuple[int, int]:
    """Bounds of a number of entries: what a map can have, or less."""
    if kind and kind not in _SIZE_TYPES:
        fields.problem("type", f"expected a number of entries: {', '.join(sorted(_SIZE_TYPES))}")
    if minimum == 0:
        fields.problem("minimum", "a map has one entry at least")
    if maximum is not None and maximum > _MOST_ENTRIES:
        fields.problem("maximum", f"a map has {_MOST_ENTRIES} entries at most")
    most = SCALAR_TYPES[kind].maximum if kind in SCALAR_TYPES else _MOST_ENTRIES
    return minimum or 1, maximum or min(most, _MOST_ENTRIES)


def read_setting(name: str, fields: Fields) -> SettingSpec:
    """Read ``[settings.NAME]``; problems are noted in ``fields``."""
    if not is_identifier(name):
        fields.problem("", "expected a name of letters, digits and underscores")
    kind = fields.text(
        "type", f"one of {', '.join(SCALAR_TYPES)} or set[…] of one", lambda t: bool(split_type(t))
    )
    found = split_type(kind)
    spec = SettingSpec(
        name=name,
        type=kind,
        map=fields.text("map", "the name of a map", is_map_name, required=False) or None,
        key=fields.integer(
            "key", f"a whole number from 0 to {LARGEST}", 0, LARGEST, required=False
        ),
        variable=fields.text("global", "a variable's name", is_identifier, required=False) or None,
        default=_default_text(fields),
        help=fields.text("help", "one line of text", is_one_line, required=False),
    )
    scalar = found[0] if found else None
    minimum, maximum = (_bound(fields, key, scalar) for key in ("minimum", "maximum"))
    if minimum is not None and maximum is not None and minimum > maximum:
        fields.problem("minimum", "is larger than maximum")
        minimum = maximum = None
    sized = fields.text("max_entries_of", "the name of a map", is_identifier, required=False)
    if ["map" in fields, "global" in fields, "max_entries_of" in fields].count(True) != 1:
        fields.problem(
            "map", "expected one of map, global and max_entries_of, to say what the value is for"
        )
    if sized:
        minimum, maximum = _size_bounds(fields, kind, minimum, maximum)
    if "key" in fields and (spec.is_set or "map" not in fields):
        fields.problem("key", "only a single value in a map has a key")
    if spec.is_set and "global" in fields:
        fields.problem("global", "a set needs a map")
    spec = SettingSpec(
        name,
        kind,
        spec.map,
        spec.key,
        spec.variable,
        spec.default,
        spec.help,
        minimum,
        maximum,
        sized or None,
    )
    if scalar is not None and spec.default is not None:
        try:
            parse_setting(spec, spec.default)
        except WrongSetting as error:
            fields.problem("default", error.message.partition(": ")[2])
    return spec
