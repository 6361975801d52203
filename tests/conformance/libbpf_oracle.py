"""Ask libbpf what it makes of an object; runs in a process of its own, because it may crash.

    libbpf_oracle.py OBJECT [BTF]      prints JSON: maps, and programs with final instructions

Hash maps of open size get one entry, and nothing is pinned. With BTF, CO-RE is done against that
file instead of the running kernel.
"""

import ctypes
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path


class _OpenOptions(ctypes.Structure):
    """``struct bpf_object_open_opts`` of libbpf 1.x."""

    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("object_name", ctypes.c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", ctypes.c_char_p),
        ("unused", ctypes.c_uint32),
        ("kconfig", ctypes.c_char_p),
        ("btf_custom_path", ctypes.c_char_p),
    )


_HASH = 1
_POINTERS = ("object__open_file", "object__next_map", "object__next_program", "program__insns")
_TEXTS = ("map__name", "program__name")


@cache
def _lib() -> ctypes.CDLL:
    # Loaded when asked for: test runners import this file where there is no libbpf, too.
    lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    for pointer in _POINTERS:
        getattr(lib, f"bpf_{pointer}").restype = ctypes.c_void_p
    for text in _TEXTS:
        getattr(lib, f"bpf_{text}").restype = ctypes.c_char_p
    lib.bpf_program__insn_cnt.restype = ctypes.c_size_t
    return lib


def _each(step: str, opened: int) -> Iterator[int]:
    following = getattr(_lib(), step)
    current = following(ctypes.c_void_p(opened), None)
    while current:
        yield current
        current = following(ctypes.c_void_p(opened), ctypes.c_void_p(current))


def _number(function: str, of: int) -> int:
    return int(getattr(_lib(), function)(ctypes.c_void_p(of))) & 0xFFFFFFFF


def _name(function: str, of: int) -> str:
    return str(getattr(_lib(), function)(ctypes.c_void_p(of)).decode())


def _open(path: str, btf: str | None) -> int:
    options = _OpenOptions(sz=ctypes.sizeof(_OpenOptions), object_name=b"object")
    if btf is not None:
        options.btf_custom_path = btf.encode()
    return int(_lib().bpf_object__open_file(path.encode(), ctypes.byref(options)) or 0)


def _maps(opened: int) -> list[dict[str, object]]:
    return [
        {
            "name": _name("bpf_map__name", each),
            "descriptor": _number("bpf_map__fd", each),
            **{
                part: _number(f"bpf_map__{part}", each)
                for part in ("type", "key_size", "value_size", "max_entries", "map_flags")
            },
        }
        for each in _each("bpf_object__next_map", opened)
    ]


def _program(path: str, btf: str | None, wanted: str) -> dict[str, object]:
    opened = _open(path, btf)
    found = 0
    for each in _each("bpf_object__next_program", opened):
        is_wanted = _name("bpf_program__name", each) == wanted
        _lib().bpf_program__set_autoload(ctypes.c_void_p(each), ctypes.c_bool(is_wanted))
        found = each if is_wanted else found
    for each in _each("bpf_object__next_map", opened):
        _lib().bpf_map__set_pin_path(ctypes.c_void_p(each), None)
        if _number("bpf_map__type", each) == _HASH and not _number("bpf_map__max_entries", each):
            _lib().bpf_map__set_max_entries(ctypes.c_void_p(each), ctypes.c_uint32(1))
    result = _lib().bpf_object__load(ctypes.c_void_p(opened))
    count = _lib().bpf_program__insn_cnt(ctypes.c_void_p(found))
    code = ctypes.string_at(_lib().bpf_program__insns(ctypes.c_void_p(found)), count * 8)
    answer = {
        "result": result,
        "type": _number("bpf_program__type", found),
        "attach_type": _number("bpf_program__expected_attach_type", found),
        "code": code.hex(),
        "maps": _maps(opened),
    }
    _lib().bpf_object__close(ctypes.c_void_p(opened))
    return answer


def _answer(path: str, btf: str | None) -> dict[str, object]:
    _lib().libbpf_set_print(None)
    opened = _open(path, btf)
    if not opened:
        return {"refused": True}
    names = [_name("bpf_program__name", each) for each in _each("bpf_object__next_program", opened)]
    return {"maps": _maps(opened), "programs": {n: _program(path, btf, n) for n in names}}


if __name__ == "__main__":
    found = _answer(str(Path(sys.argv[1]).resolve()), sys.argv[2] if len(sys.argv) > 2 else None)
    sys.stdout.write(json.dumps(found))
