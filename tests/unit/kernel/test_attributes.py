"""The generated layouts are the kernel's."""

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import pytest

from skep.kernel import attributes

ROOT = Path(__file__).parents[3]
FACTS = json.loads((ROOT / "tools" / "facts" / "bpf_attributes.json").read_text())

# Written down from include/uapi/linux/bpf.h, independently of the generator.
OFFSETS = {
    ("MapCreate", "map_name"): 28,
    ("MapCreate", "btf_fd"): 48,
    ("MapCreate", "map_extra"): 64,
    ("MapCreate", "excl_prog_hash_size"): 88,
    ("MapElement", "key"): 8,
    ("MapElement", "value"): 16,
    ("MapElement", "flags"): 24,
    ("ProgramLoad", "insns"): 8,
    ("ProgramLoad", "log_level"): 24,
    ("ProgramLoad", "log_buf"): 32,
    ("ProgramLoad", "prog_name"): 48,
    ("ProgramLoad", "expected_attach_type"): 68,
    ("ProgramLoad", "fd_array"): 120,
    ("ProgramLoad", "log_true_size"): 140,
    ("ProgramLoad", "keyring_id"): 164,
    ("ObjectPin", "bpf_fd"): 8,
    ("ObjectPin", "path_fd"): 16,
    ("ProgramTestRun", "data_out"): 24,
    ("ProgramTestRun", "duration"): 36,
    ("ProgramTestRun", "batch_size"): 72,
    ("InfoByDescriptor", "info"): 8,
    ("LinkCreate", "target_ifindex"): 4,
    ("LinkCreate", "attach_type"): 8,
    ("LinkUpdate", "old_prog_fd"): 12,
    ("ProgramInfo", "verified_insns"): 216,
    ("MapInfo", "hash"): 88,
    ("LinkInfo", "xdp_ifindex"): 16,
}


@pytest.mark.parametrize(("place", "offset"), OFFSETS.items(), ids=str)
def test_a_field_is_where_the_kernel_has_it(place: tuple[str, str], offset: int) -> None:
    layout, field = place
    assert getattr(getattr(attributes, layout), field).offset == offset


@pytest.mark.parametrize(
    "name",
    [name for name, value in vars(attributes).items() if isinstance(value, type(ctypes.Structure))],
)
def test_every_field_of_every_layout_is_one_of_the_facts(name: str) -> None:
    layout = getattr(attributes, name)
    if layout is ctypes.Structure:
        return
    known = {
        (field["name"], field["offset"], field["size"])
        for structure in FACTS["structures"].values()
        for field in structure["fields"]
    }
    fields = [field[0] for field in layout._fields_ if not field[0].startswith("_")]
    assert fields
    for field in fields:
        found = getattr(layout, field)
        assert (field, found.offset, found.size) in known


def test_an_attribute_is_as_large_as_the_union() -> None:
    assert attributes.ATTRIBUTE_BYTES == 168
    for layout in (attributes.MapCreate, attributes.MapElement, attributes.LinkDetach):
        assert ctypes.sizeof(layout) == attributes.ATTRIBUTE_BYTES


@pytest.mark.parametrize(
    ("command", "number"),
    [("MAP_CREATE", 0), ("PROG_LOAD", 5), ("OBJ_GET", 7), ("MAP_FREEZE", 22), ("LINK_DETACH", 34)],
)
def test_commands_have_the_kernels_numbers(command: str, number: int) -> None:
    assert attributes.BpfCommand[command] == number


def test_types_have_the_names_people_know() -> None:
    assert attributes.PROGRAM_TYPES["XDP"] == 6
    assert attributes.MAP_TYPES["PERCPU_CGROUP_STORAGE"] == 21
    assert attributes.LINK_TYPES["XDP"] == 6


def test_the_module_is_what_its_generator_writes() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "tools" / "generate_bpf_attributes.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
