"""Types of an object for a kernel that does not know all kinds of them.

A kernel refuses an object's types as a whole for one kind that came after it: FLOAT (5.13),
DECL_TAG (5.16), TYPE_TAG (5.17), ENUM64 and signed enums (6.0). What replaces a type has its id
and its size, so everything that refers to it stays as it is.

Works on the bytes, not on :mod:`skep.bytecode.btf`: whoever reads pins imports this, and never
needs it.

Source: ``bpf_object__sanitize_btf`` in tools/lib/bpf/libbpf.c of Linux 6.18.
"""

import struct

_HEADER = struct.Struct("=HBBIIIII")  # struct btf_header
_TYPE = struct.Struct("=III")  # struct btf_type
_MAGIC = 0xEB9F
_PTR, _STRUCT, _ENUM, _CONST, _FLOAT, _DECL_TAG, _TYPE_TAG, _ENUM64 = 2, 4, 6, 10, 16, 17, 18, 19
_NEWEST = 19
_SIGNED = 1 << 31
_BEHIND = {1: 4, 3: 12, 14: 4, 17: 4}  # bytes that follow a type, by kind
_BEHIND_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}  # for each member


def older_types(btf: bytes) -> bytes | None:
    """The same types, of the kinds that Linux 5.2 knows; ``None`` if they are that already.

    Also ``None`` if they make no sense: the kernel has said so then.

    Args:
        btf: in the byte order of this machine.
    """
    if len(btf) < _HEADER.size:
        return None
    magic, version, flags, length, start, size, strings, strings_size = _HEADER.unpack_from(btf)
    place, end = length + start, length + start + size
    if magic != _MAGIC or end > len(btf):
        return None
    stored: list[bytes] = []
    while place < end:
        if end - place < _TYPE.size:
            return None
        name, info, value = _TYPE.unpack_from(btf, place)
        kind = info >> 24 & 0x1F
        if not 0 < kind <= _NEWEST:
            return None
        behind = _BEHIND.get(kind, _BEHIND_EACH.get(kind, 0) * (info & 0xFFFF))
        tail = btf[place + _TYPE.size : place + _TYPE.size + behind]
        place += _TYPE.size + behind
        stored.append(_older(kind, (name, info, value), tail))
    body = b"".join(stored)
    texts = btf[length + strings : length + strings + strings_size]
    header = _HEADER.pack(magic, version, flags, 24, 0, len(body), len(body), len(texts))
    older = header + body + texts
    return None if older == btf else older


def _older(kind: int, record: tuple[int, int, int], tail: bytes) -> bytes:
    name, info, value = record
    if kind in (_FLOAT, _ENUM64):
        # Without a name: that of a float may have a space, which no struct may have.
        return _TYPE.pack(0, _STRUCT << 24, value)
    if kind == _TYPE_TAG:
        return _TYPE.pack(0, _CONST << 24, value)
    if kind == _DECL_TAG:
        return _TYPE.pack(0, _PTR << 24, 0)
    if kind == _ENUM:
        info &= ~_SIGNED
    return _TYPE.pack(name, info, value) + tail
