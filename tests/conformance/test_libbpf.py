"""The same maps, programs and instructions as libbpf, for every fixture that it opens.

Against the types of the running kernel, of two kernels that never were, and of every file
``*.btf`` in the directory that ``SKEP_KERNEL_TYPES`` names (``.BTF`` sections of other kernels).

Known differences, each on purpose:

* libbpf makes data maps mappable into memory (0x400); nobody maps ours.
* A weak function of the kernel that is missing: libbpf 1.1 leaves ``call 0``, ours is poisoned.
* Where a section's name does not tell the type, libbpf opens the program without one, or leaves
  it out (``.text``); ours goes by convention, or asks.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.builders.compiled import PROGRAMS, bundled_object
from tests.builders.kernels import bare_kernel, kernel, moved_kernel, running_types
from tests.builders.objects import DIRECTORY

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.isa.codes import LDDW, POISON
from skep.bytecode.isa.instructions import Instruction, decode
from skep.bytecode.linking.core.fixed import KnownAnswers
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan, MapPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.kernel.configuration import kernel_configuration, kernel_version_code
from skep.kernel.kernel_types import VMLINUX
from skep.kernel.probes import possible_cpus

ORACLE = Path(__file__).with_name("libbpf_oracle.py")
MAPPABLE = 0x400
# Made for the analysis: functions and targets this kernel lacks or declares otherwise, and program
# types our linker refuses until it can look their targets up.
FOR_ANALYSIS = {"handed_on", "iterators", "traced"} | {
    f"may_{name}"
    for name in (
        "crypto",
        "exec_replace",
        "file_read",
        "file_xattr_write",
        "io_submit",
        "kernel_crash",
        "net_congestion",
        "net_conntrack",
        "net_qdisc",
        "proc_task_control",
        "sched_ext",
        "sys_stats",
        "unknown",
    )
}
BUNDLED = sorted(path.parent.name for path in PROGRAMS.glob("*/skep.toml"))
NAMES = BUNDLED + sorted({path.stem for path in DIRECTORY.glob("*.o")} - FOR_ANALYSIS)
# What libbpf 1.1 cannot open: legacy maps, static entries, functions that are nowhere, and
# ``map_extra`` of 64 bits, which came later.
REFUSED = {"legacy_maps", "same_section", "missing_function", "map_extra"}


def _has_libbpf() -> bool:
    try:
        ctypes.CDLL("libbpf.so.1")
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(
        "SKEP_CONFORMANCE" not in os.environ, reason="not part of CI: ./dev conformance runs it"
    ),
    pytest.mark.skipif(not _has_libbpf(), reason="needs libbpf.so.1 of the distribution"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: libbpf relocates while loading"),
    pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel"),
]


@pytest.fixture(scope="module")
def running() -> KernelTypes:
    return running_types()


def _bytes(name: str) -> bytes:
    return bundled_object(name) if name in BUNDLED else (DIRECTORY / f"{name}.o").read_bytes()


@cache
def _object(name: str) -> ObjectFile:
    return read_object(_bytes(name))


def _ask(name: str, btf: Path | None = None) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile(suffix=".o") as file:
        file.write(_bytes(name))
        file.flush()
        command = [sys.executable, str(ORACLE), file.name]
        done = subprocess.run(
            command + ([str(btf)] if btf else []), check=True, capture_output=True, timeout=60
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _link(name: str, program: str | None, types: KernelTypes) -> LoadPlan:
    object_file = _object(name)
    entries = {
        target
        for spec in object_file.maps
        for _index, target in spec.initial
        if target in {each.name for each in object_file.programs}
    }
    return link(
        object_file,
        types,
        LinkSettings(
            programs=frozenset({program} if program else ()) | entries,
            licence=None if object_file.licence is not None else "",
            max_entries={
                spec.name: 1
                for spec in object_file.maps
                if not spec.max_entries and spec.map_type == 1
            },
            possible_cpus=possible_cpus(),
            kernel_config=kernel_configuration(),
            kernel_version=kernel_version_code(),
        ),
    )


def _map(name: str, facts: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    # libbpf puts the object's name in front of sections.
    return name.removeprefix("object"), facts


def _ours(plan: MapPlan) -> tuple[str, tuple[int, ...]]:
    facts = (plan.map_type, plan.key_size, plan.value_size, plan.max_entries, plan.flags)
    return _map(plan.name, facts)


def _theirs(found: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    parts = ("type", "key_size", "value_size", "max_entries")
    facts = (*(int(found[part]) for part in parts), found["map_flags"] & ~MAPPABLE)
    return _map(str(found["name"]), facts)


def _named(code: list[Instruction], names: dict[int, str] | None) -> list[object]:
    """Instructions with maps by name; without ``names``, with maps unnamed."""
    out: list[object] = []
    for each in code:
        if each.opcode == LDDW and each.src in (1, 2, 5, 6):
            name = "" if names is None else names[each.immediate].removeprefix("object")
            out.append((each.dst, "value" if each.src in (2, 6) else "map", name))
        elif each in (Instruction(0x85, immediate=POISON), Instruction(0x85, src=2)):
            out.append("poison")
        else:
            out.append(each)
    return out


def _settled(name: str) -> frozenset[str]:
    """Functions with records of layouts that are the same on every kernel."""
    read = _object(name)
    known = KnownAnswers.of(read)
    code = {function.name: function.instructions for function in read.functions}
    return frozenset(
        each.function for each in read.core_relocations if known.settles(each, code[each.function])
    )


def _compare(
    name: str, answer: dict[str, Any], types: KernelTypes, left_out: frozenset[str] = frozenset()
) -> int:
    compared = 0
    for program, found in answer["programs"].items():
        spec = next(each for each in _object(name).programs if each.name == program)
        if spec.program_type is None or not found["type"] or program in left_out:
            continue
        plan = _link(name, program, types)
        ours = plan.program(program)
        assert (ours.program_type, ours.attach_type) == (found["type"], found["attach_type"])
        indexes = descriptors = None
        if found["result"] == 0:
            indexes = {index: each.name for index, each in enumerate(plan.maps)}
            descriptors = {each["descriptor"]: each["name"] for each in found["maps"]}
        theirs = decode(bytes.fromhex(found["code"]))
        assert _named(list(ours.instructions), indexes) == _named(theirs, descriptors), program
        compared += 1
    return compared


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_becomes_what_libbpf_makes_of_it(name: str, running: KernelTypes) -> None:
    answer = _ask(name)
    if name in REFUSED:
        assert answer.get("refused")
        return
    compared = _compare(name, answer, running)
    typed = [program for program, found in answer["programs"].items() if found["type"]]
    assert compared == len(typed)
    plan = _link(name, typed[0] if typed else None, running)
    # Loading fills in what the object leaves open.
    final = answer["programs"][typed[0]]["maps"] if typed else answer["maps"]
    theirs = sorted(_theirs(each) for each in final)
    # Ours has that map only if a chosen program uses it.
    is_asked = any(each.name == ".kconfig" for each in plan.maps)
    assert sorted(_ours(each) for each in plan.maps) == [
        each for each in theirs if is_asked or each[0] != ".kconfig"
    ]


@pytest.mark.parametrize("types", [moved_kernel(), bare_kernel()], ids=["moved", "bare"])
@pytest.mark.parametrize("name", ["core_kinds", "core"])
def test_records_are_answered_as_libbpf_answers_them(
    name: str, types: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "btf"
    path.write_bytes(types)
    answer = _ask(name, path)
    # Contexts and headers of packets are elsewhere in these types, as on no kernel there is.
    settled = _settled(name)
    programs = [each.name for each in _object(name).programs if each.name not in settled]
    assert _compare(name, answer, kernel(types), settled) == len(programs) > 0


def _given() -> list[Path]:
    directory = os.environ.get("SKEP_KERNEL_TYPES")
    return sorted(Path(directory).glob("*.btf")) if directory else []


@pytest.mark.skipif(not _given(), reason="SKEP_KERNEL_TYPES names no directory of other kernels'")
@pytest.mark.parametrize("path", _given(), ids=lambda path: path.stem)
@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_becomes_the_same_on_other_kernels(name: str, path: Path) -> None:
    if name in REFUSED:
        pytest.skip("libbpf does not open it")
    if any(each.kind in {"kfunc", "kernel_variable"} for each in _object(name).extern_details):
        pytest.skip("libbpf looks up functions and variables in the running kernel only")
    assert _compare(name, _ask(name, path), _types_of(path)) >= 0


@cache
def _types_of(path: Path) -> KernelTypes:
    return kernel(path.read_bytes())
