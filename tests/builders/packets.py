"""Frames as bytes: valid ones, with one thing changed."""

import struct
from collections.abc import Sequence

TCP, UDP, ICMP = 6, 17, 1
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
MACS = bytes.fromhex("02000000000102000000000a")


def ethernet(ethertype: int, payload: bytes, vlans: Sequence[int] = ()) -> bytes:
    """An Ethernet frame; ``vlans`` are the types of the tags in front, outermost first."""
    types = [*vlans, ethertype]
    tags = b"".join(struct.pack("!HH", 100 + n, kind) for n, kind in enumerate(types[1:]))
    return (MACS + struct.pack("!H", types[0]) + tags + payload).ljust(60, b"\0")


def ipv4(
    payload: bytes,
    *,
    protocol: int = TCP,
    options: bytes = b"",
    fragment: int = 0,
    more: bool = False,
    header_length: int | None = None,
) -> bytes:
    """An IPv4 packet; ``fragment`` in units of eight bytes, ``header_length`` in words."""
    assert len(options) % 4 == 0
    words = 5 + len(options) // 4 if header_length is None else header_length
    return (
        struct.pack(
            "!BBHHHBBH4s4s",
            0x40 | words,
            0,
            20 + len(options) + len(payload),
            1,
            fragment | (0x2000 if more else 0),
            64,
            protocol,
            0,
            bytes([192, 0, 2, 1]),
            bytes([192, 0, 2, 2]),
        )
        + options
        + payload
    )


def ipv6(
    payload: bytes, *, protocol: int = TCP, extensions: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    """An IPv6 packet; ``extensions`` are (number, everything behind the first byte)."""
    numbers = [number for number, _ in extensions] + [protocol]
    chain = b"".join(
        bytes([following]) + body
        for following, (_, body) in zip(numbers[1:], extensions, strict=True)
    )
    return (
        struct.pack("!IHBB", 6 << 28, len(chain) + len(payload), numbers[0], 64)
        + bytes(15)
        + b"\1"
        + bytes(15)
        + b"\2"
        + chain
        + payload
    )


def tcp(port: int, flags: int = SYN, source: int = 40000) -> bytes:
    """A TCP header."""
    return struct.pack("!HHIIBBHHH", source, port, 1, 0, 5 << 4, flags, 1024, 0, 0)


def udp(port: int, source: int = 40000) -> bytes:
    """A UDP header and four bytes."""
    return struct.pack("!HHHH", source, port, 12, 0) + b"abcd"


def tcp_frame(port: int, flags: int = SYN) -> bytes:
    """The plain case."""
    return ethernet(0x0800, ipv4(tcp(port, flags)))


def udp_frame(port: int) -> bytes:
    """The plain case for UDP."""
    return ethernet(0x0800, ipv4(udp(port), protocol=UDP))
