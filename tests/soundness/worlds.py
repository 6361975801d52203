"""What a program sees when it is run, and the same with one thing changed.

A :class:`Template` is drawn with the program, so that the program can compare what it reads with
what is there. Planted values are put in by the runner; :data:`PLANTED` says where they are.
"""

import random
import struct
from dataclasses import dataclass

from tests.soundness.kinds import ProgramKind

CONF_BYTES = 96
A, B, KERNEL_ADDRESS, USER_ADDRESS, TASK, LEADER_ID, TEXT, INDEX = 0, 8, 16, 24, 32, 40, 64, 48
"""Offsets in the value of map ``conf``: two numbers, the address of a kernel string (the name of
a thread that does not run the program), of a string in user space, of the running task, the id of
that other thread, a text."""

_IPV4_ADDRESSES = range(26, 34)
_IPV6_ADDRESSES = range(22, 54)


@dataclass(frozen=True)
class Template:
    """Inputs of the first run.

    Attributes:
        packet: from its Ethernet header on; empty if the type takes none.
        context: input of ``BPF_PROG_TEST_RUN``; empty for none.
        numbers: what ``conf`` holds at :data:`A` and :data:`B`.
        text: what it holds at :data:`TEXT`.
    """

    packet: bytes
    context: bytes
    numbers: tuple[int, int]
    text: bytes

    def byte(self, kind: ProgramKind, offset: int) -> int:
        """What a program of that kind finds at ``offset`` of its packet."""
        place = offset if kind.has_ethernet else offset + 14
        return self.packet[place] if place < len(self.packet) else 0


_TUPLE = bytes((127, 0, 0, 1, 127, 0, 0, 1)) + struct.pack("!HH", 12345, 4242)
"""Addresses and ports of somebody who listens; see :mod:`.places`."""


def _packet(kind: ProgramKind, rng: random.Random) -> bytes:
    if not kind.input:
        return b""
    macs = bytes.fromhex("02000000000102000000000a")
    body = bytearray(rng.randrange(256) for _ in range(kind.input))
    body[10:22] = _TUPLE  # at byte 52 of an IPv4 packet
    ports = struct.pack("!HHHH", rng.choice((53, 4242)), rng.choice((80, 443)), 8 + len(body), 0)
    if rng.random() < 0.75 or kind.name == "NETFILTER":
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 28 + len(body), 1, 0, 64, 17, 0,
            bytes((10, 1, 0, 1)), bytes((10, 1, 0, 2)),
        )  # fmt: skip
        return macs + b"\x08\x00" + header + ports + body
    header = struct.pack("!IHBB", 6 << 28, 8 + len(body), 17, 64)
    addresses = bytes(15) + b"\1" + bytes(15) + b"\2"
    return macs + b"\x86\xdd" + header + addresses + ports + body


def _context(kind: ProgramKind, rng: random.Random) -> bytes:
    if kind.is_skb and kind.name != "FLOW_DISSECTOR":
        data = bytearray(192)
        struct.pack_into("<I", data, 8, rng.choice((0, 1, 7)))  # mark
        struct.pack_into("<I", data, 32, rng.choice((0, 3)))  # priority
        for index in range(5):
            struct.pack_into("<I", data, 48 + 4 * index, rng.choice((0, 5, 9)))
        return bytes(data)
    if kind.name == "XDP":
        size = kind.input + 42
        return struct.pack("<6I", 0, size, 0, 0, 0, 0)
    if kind.name == "SK_LOOKUP":
        data = bytearray(72)
        struct.pack_into("<II", data, 8, 2, 6)  # AF_INET, TCP
        data[16:20] = bytes((127, 0, 0, 1))
        struct.pack_into("!H", data, 36, rng.choice((40000, 53)))
        data[40:44] = bytes((127, 0, 0, 1))
        struct.pack_into("<I", data, 60, rng.choice((8080, 4242)))
        return bytes(data)
    if kind.context in {"numbers", "memory"}:
        return struct.pack("<8Q", *(rng.choice((0, 1, 2, 7, 255)) for _ in range(8)))
    return b""


def draw_template(kind: ProgramKind, rng: random.Random) -> Template:
    """Inputs for a program of ``kind``."""
    packet = _packet(kind, rng)
    context = _context(kind, rng)
    if kind.name == "XDP":
        context = struct.pack("<6I", 0, len(packet), 0, 0, 0, 0)
    numbers = (rng.choice((0, 1, 2, 3, 4, 7)), rng.choice((0, 1, 5, 1 << 20)))
    text = rng.choice((b"alpha", b"12", b"x"))
    return Template(packet, context, numbers, text)


def changeable(kind: ProgramKind, packet: bytes) -> list[int]:
    """Places of bytes whose change nobody but a reader of the packet notices.

    The kernel's test run takes the EtherType, the pkt_type (destination) and the addresses of its
    socket from the packet of the types that have an ``sk_buff``, where they are context.
    """
    if not packet:
        return []
    if kind.name in {"XDP", "FLOW_DISSECTOR"}:
        return [n for n in range(len(packet)) if n not in {12, 13}]
    is_ipv4 = packet[12:14] == b"\x08\x00"
    kept = _IPV4_ADDRESSES if is_ipv4 else _IPV6_ADDRESSES
    if kind.name == "NETFILTER":  # its header is checked before the program runs
        return list(range(34, len(packet)))
    first = 6 if kind.has_ethernet else 14
    return [n for n in range(first, len(packet)) if n not in kept and n not in {12, 13, 14}]


def other_packets(kind: ProgramKind, packet: bytes, rng: random.Random) -> list[bytes]:
    """Packets that differ from ``packet`` wherever they may."""
    places = changeable(kind, packet)
    if not places:
        return []
    inverted, drawn = bytearray(packet), bytearray(packet)
    for place in places:
        inverted[place] ^= 0xFF
        drawn[place] = (drawn[place] + rng.randrange(1, 256)) & 0xFF
    return [bytes(inverted), bytes(drawn)]
