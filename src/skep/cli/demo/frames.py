"""Ethernet frames for the demo's traffic: UDP datagrams and TCP connection attempts over IPv4.

Sources: RFC 791, RFC 768, RFC 9293.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

_TCP, _UDP = 6, 17
_SYN = 0x02


@dataclass(frozen=True, slots=True)
class Path:
    """Where frames go: both hardware and both network addresses."""

    source_mac: bytes
    destination_mac: bytes
    source: IPv4Address
    destination: IPv4Address


def _checksum(data: bytes) -> int:
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _frame(path: Path, protocol: int, segment: bytes, checksum_at: int) -> bytes:
    pseudo = path.source.packed + path.destination.packed
    pseudo += struct.pack("!BBH", 0, protocol, len(segment))
    value = _checksum(pseudo + segment)
    segment = segment[:checksum_at] + struct.pack("!H", value) + segment[checksum_at + 2 :]
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45, 0, 20 + len(segment), 0, 0x4000, 64, protocol, 0,
        path.source.packed, path.destination.packed,
    )  # fmt: skip
    header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
    return path.destination_mac + path.source_mac + b"\x08\x00" + header + segment


def udp_frame(path: Path, port: int, payload: bytes = b"skep demo") -> bytes:
    """One UDP datagram to ``port``."""
    return _frame(path, _UDP, struct.pack("!HHHH", 40000, port, 8 + len(payload), 0) + payload, 6)


def syn_frames(path: Path, port: int, count: int) -> Iterator[bytes]:
    """``count`` TCP connection attempts to ``port``, each from a source port of its own."""
    for number in range(count):
        segment = struct.pack(
            "!HHIIBBHHH", 1024 + number % 60000, port, number, 0, 5 << 4, _SYN, 64240, 0, 0
        )
        yield _frame(path, _TCP, segment, 16)
