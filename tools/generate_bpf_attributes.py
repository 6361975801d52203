"""Write ``src/skep/kernel/attributes.py`` from the kernel's own description of ``bpf(2)``.

The layouts are facts of the kernel, so nobody types them. Two steps, so that a build needs no
kernel with BTF:

* ``--from-kernel`` reads ``union bpf_attr``, the info structures and the enumerations out of
  ``/sys/kernel/btf/vmlinux`` into ``tools/facts/bpf_attributes.json``;
* without an option the JSON becomes the module; ``--check`` only compares.

A member of ``union bpf_attr`` that has no name of its own is recognised by its first field. Where
fields share their bytes (a C union), the first one wins unless ``_PREFERRED`` says otherwise.

Source of the format: Documentation/bpf/btf.rst of the kernel.
"""

import argparse
import json
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FACTS = ROOT / "tools" / "facts" / "bpf_attributes.json"
MODULE = ROOT / "src" / "skep" / "kernel" / "attributes.py"
KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")

_UNNAMED = {
    "map_type": "map_create",
    "map_fd": "map_element",
    "prog_type": "program_load",
    "pathname": "object_pin",
    "target_fd": "program_attach",
    "start_id": "get_id",
    "btf": "btf_load",
}
_STRUCTURES = ("bpf_prog_info", "bpf_map_info", "bpf_link_info", "bpf_btf_info")
_ENUMERATIONS = {
    "bpf_cmd": "BPF_",
    "bpf_map_type": "BPF_MAP_TYPE_",
    "bpf_prog_type": "BPF_PROG_TYPE_",
    "bpf_link_type": "BPF_LINK_TYPE_",
}

# What the module contains: class name, JSON name, docstring, fields that win over their union
# neighbours. Attributes are padded to the whole union: the kernel accepts a larger structure than
# it knows if the rest is zero.
_CLASSES: tuple[tuple[str, str, str, frozenset[str]], ...] = (
    ("MapCreate", "map_create", "``BPF_MAP_CREATE``.", frozenset()),
    ("MapElement", "map_element", "Element commands and ``BPF_MAP_FREEZE``.", frozenset()),
    ("ProgramLoad", "program_load", "``BPF_PROG_LOAD``.", frozenset()),
    ("BtfLoad", "btf_load", "``BPF_BTF_LOAD``.", frozenset()),
    ("ObjectPin", "object_pin", "``BPF_OBJ_PIN`` and ``BPF_OBJ_GET``.", frozenset()),
    ("ProgramTestRun", "test", "``BPF_PROG_TEST_RUN``.", frozenset()),
    ("GetId", "get_id", "``*_GET_NEXT_ID`` and ``*_GET_FD_BY_ID``.", frozenset()),
    ("InfoByDescriptor", "info", "``BPF_OBJ_GET_INFO_BY_FD``.", frozenset()),
    ("LinkCreate", "link_create", "``BPF_LINK_CREATE``.", frozenset({"target_ifindex"})),
    ("LinkUpdate", "link_update", "``BPF_LINK_UPDATE``.", frozenset()),
    ("LinkDetach", "link_detach", "``BPF_LINK_DETACH``.", frozenset()),
    ("ProgramQuery", "query", "``BPF_PROG_QUERY``.", frozenset({"target_ifindex"})),
    ("EnableStatistics", "enable_stats", "``BPF_ENABLE_STATS``.", frozenset()),
    ("ProgramInfo", "bpf_prog_info", "``struct bpf_prog_info``.", frozenset()),
    ("MapInfo", "bpf_map_info", "``struct bpf_map_info``.", frozenset()),
    ("LinkInfo", "bpf_link_info", "``struct bpf_link_info``.", frozenset({"xdp_ifindex"})),
    ("BtfInfo", "bpf_btf_info", "``struct bpf_btf_info``.", frozenset()),
    (
        "TcxLinkInfo",
        "bpf_link_info",
        "``struct bpf_link_info`` of a link of type TCX.",
        frozenset({"tcx_ifindex", "tcx_attach_type"}),
    ),
)
_CTYPES = {1: "c_uint8", 2: "c_uint16", 4: "c_uint32", 8: "c_uint64"}

_INT, _PTR, _ARRAY, _STRUCT, _UNION, _ENUM, _ENUM64, _DATASEC = 1, 2, 3, 4, 5, 6, 19, 15
_ALIASES = frozenset({8, 9, 10, 11, 18})  # typedef, volatile, const, restrict, type tag
_TRAILING = {1: 4, 3: 12, 4: 12, 5: 12, 6: 8, 13: 8, 14: 4, 15: 12, 17: 4, 19: 12}
_PER_MEMBER = frozenset({4, 5, 6, 13, 15, 19})


@dataclass(frozen=True)
class _Type:
    name: str
    kind: int
    flag: bool
    size: int  # or the id of the type referred to
    rows: tuple[tuple[int, ...], ...]


class _Btf:
    """As much of a BTF reader as ``union bpf_attr`` needs."""

    def __init__(self, data: bytes) -> None:
        magic, _, _, header, types, types_size, strings, strings_size = struct.unpack_from(
            "<HBBIIIII", data
        )
        assert magic == 0xEB9F, "not little-endian BTF"
        self._strings = data[header + strings : header + strings + strings_size]
        self.types: list[_Type] = [_Type("void", 0, flag=False, size=0, rows=())]
        position, end = header + types, header + types + types_size
        while position < end:
            name, info, size = struct.unpack_from("<III", data, position)
            position += 12
            kind, count = info >> 24 & 31, info & 0xFFFF
            width = _TRAILING.get(kind, 0)
            number = count if kind in _PER_MEMBER else int(bool(width))
            rows = tuple(
                struct.iter_unpack(f"<{width // 4}I", data[position : position + width * number])
                if width
                else ()
            )
            position += width * number
            self.types.append(_Type(self.text(name), kind, bool(info >> 31), size, rows))

    def text(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()

    def find(self, name: str, kind: int) -> _Type:
        return next(t for t in self.types if t.name == name and t.kind == kind)

    def resolve(self, identity: int) -> _Type:
        while self.types[identity].kind in _ALIASES:
            identity = self.types[identity].size
        return self.types[identity]

    def size(self, identity: int) -> int:
        found = self.resolve(identity)
        if found.kind == _ARRAY:
            element, _, count = found.rows[0]
            return self.size(element) * count
        return 8 if found.kind == _PTR else found.size

    def members(self, owner: _Type) -> list[tuple[str, int, int, int]]:
        """Name, type id, offset in bits, width in bits (0: not a bit field)."""
        rows = ((self.text(n), t, o) for n, t, o in owner.rows)
        if owner.flag:
            return [(n, t, o & 0xFFFFFF, o >> 24) for n, t, o in rows]
        return [(n, t, o, 0) for n, t, o in rows]

    def fields(self, owner: _Type, base: int = 0, prefix: str = "") -> list[dict[str, Any]]:
        """Flat list of fields; members of a named structure get its name as a prefix."""
        out: list[dict[str, Any]] = []
        for name, identity, bits, width in self.members(owner):
            found, offset = self.resolve(identity), base + bits // 8
            if found.kind in (_STRUCT, _UNION):
                inner = f"{prefix}{name}_" if name else prefix
                out += self.fields(found, offset, inner)
                continue
            if not name:
                continue  # unnamed bit fields are padding
            field: dict[str, Any] = {"name": prefix + name, "offset": offset}
            field["size"] = self.size(identity)
            if found.kind == _ARRAY:
                field["count"] = found.rows[0][2]
            if width:
                field["bits"] = width
            out.append(field)
        return out

    def enumeration(self, name: str, prefix: str) -> dict[str, int]:
        found = next(t for t in self.types if t.name == name and t.kind in (_ENUM, _ENUM64))
        names: dict[str, int] = {}
        rows = [(self.text(row[0]), row[1]) for row in found.rows]
        # Several names of one number: the first one counts, deprecated ones last.
        for label, number in sorted(rows, key=lambda row: row[0].endswith("_DEPRECATED")):
            if label.startswith(prefix) and number not in names.values():
                names[label.removeprefix(prefix)] = number
        return dict(sorted(names.items(), key=lambda item: item[1]))


def read_kernel(data: bytes) -> dict[str, Any]:
    """Layouts and enumerations from the bytes of a kernel's BTF."""
    btf = _Btf(data)
    union = btf.find("bpf_attr", _UNION)
    structures: dict[str, Any] = {}
    for name, identity, _, _ in btf.members(union):
        member = btf.resolve(identity)
        fields = btf.fields(member)
        key = name or _UNNAMED.get(fields[0]["name"])
        if key is not None:
            structures[key] = {"size": union.size, "fields": fields}
    for name in _STRUCTURES:
        found = btf.find(name, _STRUCT)
        structures[name] = {"size": found.size, "fields": btf.fields(found)}
    enumerations = {n: btf.enumeration(n, p) for n, p in _ENUMERATIONS.items()}
    return {"structures": structures, "enumerations": enumerations}


def write_facts(facts: dict[str, Any]) -> str:
    """JSON with one field a line, so that a difference between kernels reads well."""
    lines = ["{", ' "structures": {']
    blocks = []
    for name, value in facts["structures"].items():
        rows = ",\n".join("   " + json.dumps(field) for field in value["fields"])
        blocks.append(f'  "{name}": {{"size": {value["size"]}, "fields": [\n{rows}]}}')
    lines += [",\n".join(blocks), " },", ' "enumerations": {']
    lines.append(
        ",\n".join(
            f'  "{name}": {{\n'
            + ",\n".join(f'   "{label}": {number}' for label, number in values.items())
            + "}"
            for name, values in facts["enumerations"].items()
        )
    )
    return "\n".join([*lines, " }", "}", ""])


def _chosen(fields: list[dict[str, Any]], preferred: frozenset[str]) -> list[dict[str, Any]]:
    """Fields that do not share a byte, ascending; preferred ones win, then earlier ones."""
    taken: set[int] = set()
    chosen = []
    for field in sorted(fields, key=lambda f: f["name"] not in preferred):
        span = set(range(field["offset"], field["offset"] + field["size"]))
        if field.get("bits") or span & taken:
            continue
        taken |= span
        chosen.append(field)
    return sorted(chosen, key=lambda f: int(f["offset"]))


def _class(name: str, layout: dict[str, Any], summary: str, preferred: frozenset[str]) -> str:
    rows, hints, position, padding = [], [], 0, 0

    def pad(until: int) -> None:
        nonlocal position, padding
        if until > position:
            rows.append(f'("_padding_{padding}", ctypes.c_uint8 * {until - position}),')
            position, padding = until, padding + 1

    for field in _chosen(layout["fields"], preferred):
        pad(field["offset"])
        size, count = field["size"], field.get("count")
        if count is None:
            rows.append(f'("{field["name"]}", ctypes.{_CTYPES[size]}),')
            hints.append(f"{field['name']}: int")
        elif field["name"].endswith("name"):
            rows.append(f'("{field["name"]}", ctypes.c_char * {count}),')
            hints.append(f"{field['name']}: bytes")
        else:
            element = _CTYPES[size // count]
            rows.append(f'("{field["name"]}", ctypes.{element} * {count}),')
            hints.append(f'{field["name"]}: "ctypes.Array[ctypes.{element}]"')
        position += size
    pad(layout["size"])
    body = "\n".join(f"    {hint}" for hint in hints)
    table = "\n".join(f"        {row}" for row in rows)
    return (
        f'class {name}(ctypes.Structure):\n    """{summary}"""\n\n{body}\n\n'
        f"    _fields_ = (\n{table}\n    )\n"
    )


_HEADER = '''"""Layouts of ``union bpf_attr`` and the info structures; numbers of ``bpf(2)``.

Generated by tools/generate_bpf_attributes.py from tools/facts/bpf_attributes.json, which comes
out of a kernel's BTF. Do not edit.
"""

import ctypes
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

'''


def write_module(facts: dict[str, Any]) -> str:
    """The Python module for ``facts``."""
    size = facts["structures"]["map_create"]["size"]
    commands = "\n".join(f"    {n} = {v}" for n, v in facts["enumerations"]["bpf_cmd"].items())
    parts = [
        _HEADER + f"ATTRIBUTE_BYTES = {size}\n",
        f'class BpfCommand(IntEnum):\n    """``enum bpf_cmd``."""\n\n{commands}\n',
    ]
    parts += [
        _class(name, facts["structures"][key], summary, preferred)
        for name, key, summary, preferred in _CLASSES
    ]
    tables = {
        "MAP_TYPES": "bpf_map_type",
        "PROGRAM_TYPES": "bpf_prog_type",
        "LINK_TYPES": "bpf_link_type",
    }
    for constant, key in tables.items():
        rows = "\n".join(f'        "{n}": {v},' for n, v in facts["enumerations"][key].items())
        parts.append(
            f"{constant}: Mapping[str, int] = MappingProxyType(\n    {{\n{rows}\n    }}\n)\n"
            f'"""``enum {key}`` by name without its prefix."""\n'
        )
    return _formatted("\n\n".join(parts))


def _formatted(text: str) -> str:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or "ruff"
    return subprocess.run(
        [ruff, "format", "--line-length", "100", "--stdin-filename", str(MODULE), "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout


def main() -> int:
    """Regenerate, or with ``--check`` say whether that would change anything."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--from-kernel", action="store_true", help="read the JSON's facts anew")
    arguments = parser.parse_args()
    outputs = {}
    if arguments.from_kernel:
        facts = read_kernel(KERNEL_BTF.read_bytes())
        outputs[FACTS] = write_facts(facts)
    else:
        facts = json.loads(FACTS.read_text())
    outputs[MODULE] = write_module(facts)
    stale = [
        path for path, text in outputs.items() if not path.exists() or path.read_text() != text
    ]
    if arguments.check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what its generator writes", file=sys.stderr)
        return int(bool(stale))
    for path in stale:
        path.write_text(outputs[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
