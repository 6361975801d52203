"""Types of settings: how people write a value and which number or bytes it becomes.

=========  =====================================  =======================================
type       written as                             becomes
=========  =====================================  =======================================
rate       ``100/s``, ``10k/s``, ``600/m``        events per second
u8 … u64   ``42``, ``0x2a``                       the number
integer    the same as u64
boolean    ``true``, ``false``, ``on``, ``off``   1 or 0
duration   ``5s``, ``250ms``, ``1h``              nanoseconds
port       ``443``                                the number, 1 to 65535
size       ``64KiB``, ``1MB``, ``512``            bytes; ``bytes`` is the same type
ipv4       ``192.0.2.1``                          4 bytes, as on the wire
ipv6       ``2001:db8::1``                        16 bytes, as on the wire
set[T]     ``80,443``                             several of type T
=========  =====================================  =======================================
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Scalar = int | bytes
"""A number, or bytes whose order is fixed by the wire."""

_NUMBER = re.compile(r"[0-9]{1,20}|0x[0-9a-fA-F]{1,16}")
_RATE = re.compile(r"([0-9]{1,20})([kMG]?)/(s|sec|second|m|min|minute|h|hour)")
_DURATION = re.compile(r"([0-9]{1,20})(ns|us|ms|s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,20})(|B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)")

_MULTIPLIERS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_SECONDS = {"s": 1, "m": 60, "h": 3600}  # by first letter of the unit
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_BYTES = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_BOOLEANS = {"true": 1, "on": 1, "yes": 1, "false": 0, "off": 0, "no": 0}

LARGEST = 2**64 - 1


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A type of one value.

    Attributes:
        expected: what to write, for messages.
        example: a valid text.
        parse: text to value; ``None`` if the text is no such value.
        minimum: smallest number; 0 for bytes.
        maximum: largest number; 0 for bytes, which have no order.
    """

    expected: str
    example: str
    parse: Callable[[str], Scalar | None]
    minimum: int = 0
    maximum: int = LARGEST

    @property
    def is_number(self) -> bool:
        """Whether values are numbers, which can have a minimum and a maximum."""
        return self.maximum > 0


def _number(text: str) -> int | None:
    return int(text, 0 if text[:2] == "0x" else 10) if _NUMBER.fullmatch(text) else None


def _boolean(text: str) -> int | None:
    return _BOOLEANS.get(text.lower())


def _rate(text: str) -> int | None:
    match = _RATE.fullmatch(text)
    if match is None:
        return None
    events = int(match[1]) * _MULTIPLIERS[match[2]]
    seconds = _SECONDS[match[3][0]]
    # Programs get a whole number per second; rounding 100/m to 1/s would be a different limit.
    return events // seconds if events % seconds == 0 else None


def _duration(text: str) -> int | None:
    match = _DURATION.fullmatch(text)
    return int(match[1]) * _NANOSECONDS[match[2]] if match else None


def _size(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    return int(match[1]) * _BYTES[match[2]] if match else None


def _ipv4(text: str) -> bytes | None:
    try:
        return ipaddress.IPv4Address(text).packed
    except ValueError:
        return None


def _ipv6(text: str) -> bytes | None:
    try:
        # A scope ("%eth0") means something on one host only.
        return ipaddress.IPv6Address(text).packed if "%" not in text else None
    except ValueError:
        return None


def _unsigned(bits: int) -> ScalarType:
    largest = 2**bits - 1
    return ScalarType(f"a whole number from 0 to {largest}", "42", _number, maximum=largest)


_SIZE_TYPE = ScalarType("a size such as 64KiB, 1MB or 512", "64KiB", _size)

SCALAR_TYPES: Mapping[str, ScalarType] = MappingProxyType(
    {
        "rate": ScalarType("whole events per second such as 100/s or 600/m", "100/s", _rate),
        "u8": _unsigned(8),
        "u16": _unsigned(16),
        "u32": _unsigned(32),
        "u64": _unsigned(64),
        "integer": _unsigned(64),
        "boolean": ScalarType("true or false", "true", _boolean, maximum=1),
        "duration": ScalarType("a duration such as 5s, 250ms or 1h", "5s", _duration),
        "port": ScalarType("a port from 1 to 65535", "443", _number, minimum=1, maximum=65535),
        "bytes": _SIZE_TYPE,
        "size": _SIZE_TYPE,
        "ipv4": ScalarType("an IPv4 address", "192.0.2.1", _ipv4, maximum=0),
        "ipv6": ScalarType("an IPv6 address", "2001:db8::1", _ipv6, maximum=0),
    }
)


def split_type(text: str) -> tuple[ScalarType, bool] | None:
    """The scalar type of ``T`` or ``set[T]`` and whether it is a set; ``None`` if unknown.

    >>> split_type("set[port]")[1], split_type("float")
    (True, None)
    """
    is_set = text.startswith("set[") and text.endswith("]")
    scalar = SCALAR_TYPES.get(text[4:-1] if is_set else text)
    return None if scalar is None else (scalar, is_set)
