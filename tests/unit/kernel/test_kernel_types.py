"""The index of the kernel's types: kept, and never believed when others could have written it.

Numbers are those of the checks in :mod:`skep.kernel.kernel_types`.
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.kernels import bare_kernel, moved_kernel

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.types import Kind
from skep.errors import Unsupported
from skep.kernel import kernel_types as module
from skep.kernel.errors import NotInThisKernel
from skep.kernel.kernel_types import kernel_types, parse_build_id

BUILD_ID = bytes(range(20))


def note(content: bytes, name: bytes = b"GNU\0", kind: int = 3) -> bytes:
    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 4)

    return struct.pack("=III", len(name), len(content), kind) + padded(name) + padded(content)


class Machine:
    """A kernel with types, a build id, and a cache that may be tampered with."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.btf, self.notes = directory / "vmlinux", directory / "notes"
        self.cache = directory / "cache"
        self.btf.write_bytes(moved_kernel())
        self.notes.write_bytes(note(BUILD_ID))
        self.built = 0

        def counted(raw: bytes) -> KernelTypes:
            self.built += 1
            return original(raw)

        original = KernelTypes.build
        monkeypatch.setattr(KernelTypes, "build", counted)

    def types(self) -> KernelTypes:
        return kernel_types(self.cache, btf=self.btf, notes=self.notes)

    @property
    def index(self) -> Path:
        return self.cache / f"{BUILD_ID.hex()}.btf-index"

    def is_read(self) -> bool:
        """Whether the index is taken; the types are right either way."""
        before = self.built
        assert self.types().find("task_struct", Kind.STRUCT)
        return self.built == before


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_types_are_walked_once_and_then_read_from_the_index(machine: Machine) -> None:
    assert not machine.is_read()
    assert [each.name for each in machine.cache.iterdir()] == [machine.index.name]
    assert machine.cache.stat().st_mode & 0o777 == 0o700
    assert machine.index.stat().st_mode & 0o777 == 0o600
    assert machine.is_read()
    assert machine.built == 1


def test_without_a_cache_nothing_is_written(machine: Machine) -> None:
    kernel_types(None, btf=machine.btf, notes=machine.notes)
    assert not machine.cache.exists()


@pytest.mark.parametrize("notes", [b"", note(b"short"), note(BUILD_ID, kind=1), b"\xff" * 40])
def test_without_a_build_id_the_types_themselves_tell_kernels_apart(
    machine: Machine, notes: bytes
) -> None:
    machine.notes.write_bytes(notes)
    assert not machine.is_read()
    assert machine.is_read()
    machine.btf.write_bytes(bare_kernel())
    assert not machine.is_read()
    assert machine.is_read()


def test_a_kernel_without_types_is_told(machine: Machine) -> None:
    machine.btf.unlink()
    with pytest.raises(NotInThisKernel, match="could not read") as caught:
        machine.types()
    assert isinstance(caught.value, Unsupported)
    assert "CONFIG_DEBUG_INFO_BTF" in caught.value.hint


def test_types_without_end_are_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BTF_BYTES", 100)
    with pytest.raises(MalformedBtf, match="at most 100 bytes"):
        machine.types()


# (1) The directory


def opened_to_group(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.cache.chmod(0o770)


def opened_to_all(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.cache.chmod(0o1777)  # a sticky directory is as bad: names can be taken in advance


def of_somebody_else(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)


def behind_a_link(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = machine.cache.rename(machine.cache.with_name("real"))
    machine.cache.symlink_to(real)


Attack = Callable[[Machine, pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    "attack", [opened_to_group, opened_to_all, of_somebody_else, behind_a_link]
)
def test_1_a_directory_others_could_write_to_is_neither_read_nor_written(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, attack: Attack
) -> None:
    assert not machine.is_read()
    attack(machine, monkeypatch)
    assert not machine.is_read()
    machine.index.unlink()
    assert not machine.is_read()
    assert not machine.index.exists()


def test_1_a_file_in_place_of_the_directory_costs_time_only(machine: Machine) -> None:
    machine.cache.write_bytes(b"")
    assert not machine.is_read()
    assert not machine.is_read()


# (2) The file


def link_to_another(machine: Machine) -> None:
    machine.index.symlink_to(machine.index.rename(machine.cache.with_name("elsewhere")))


def pipe(machine: Machine) -> None:
    machine.index.unlink()
    os.mkfifo(machine.index)


def directory(machine: Machine) -> None:
    machine.index.unlink()
    machine.index.mkdir()


def writable_by_all(machine: Machine) -> None:
    machine.index.chmod(0o666)


def enormous(machine: Machine) -> None:
    os.truncate(machine.index, 1 << 40)


@pytest.mark.parametrize("attack", [link_to_another, pipe, directory, writable_by_all, enormous])
def test_2_what_is_no_plain_file_of_ours_is_not_read(
    machine: Machine, attack: Callable[[Machine], None]
) -> None:
    assert not machine.is_read()
    attack(machine)
    assert not machine.is_read()


def test_2_a_link_is_replaced_and_what_it_led_to_is_left_alone(
    machine: Machine, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    machine.cache.mkdir(mode=0o700)
    machine.index.symlink_to(precious)
    assert not machine.is_read()
    assert precious.read_bytes() == b"precious"
    assert not machine.index.is_symlink()
    assert machine.is_read()


# (3) The content


def of_another_kernel(index: bytes) -> bytes:
    del index
    return KernelTypes.build(bare_kernel()).to_index(BUILD_ID)


def named_for_another(index: bytes) -> bytes:
    del index
    return KernelTypes.build(moved_kernel()).to_index(bytes(20))


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(of_another_kernel, id="other-types-same-name"),
        pytest.param(named_for_another, id="same-types-other-kernel"),
        pytest.param(lambda index: index[:-8], id="cut"),
        pytest.param(lambda index: index + bytes(8), id="longer"),
        pytest.param(lambda index: index[:-1] + bytes([index[-1] ^ 0x80]), id="a-flipped-bit"),
        pytest.param(lambda index: b"skepbtf9" + index[8:], id="other-layout"),
        pytest.param(lambda index: bytes(len(index)), id="zeros"),
        pytest.param(lambda index: b"", id="empty"),  # noqa: ARG005
    ],
)
def test_3_a_forged_or_damaged_index_is_made_anew(
    machine: Machine, forge: Callable[[bytes], bytes]
) -> None:
    assert not machine.is_read()
    machine.index.write_bytes(forge(machine.index.read_bytes()))
    assert not machine.is_read()
    assert machine.is_read()


# (4) Replacing it


def test_4_a_full_disk_leaves_neither_half_an_index_nor_an_error(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, f"no space left for {number}")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert not machine.is_read()
    assert list(machine.cache.iterdir()) == []
    assert not machine.is_read()
    assert machine.is_read()


def test_4_a_reader_has_the_old_index_or_the_new_one(machine: Machine) -> None:
    assert not machine.is_read()
    with machine.index.open("rb") as old:
        content = old.read()
        machine.index.write_bytes(content[:50])
        assert not machine.is_read()
        assert machine.index.stat().st_ino != os.fstat(old.fileno()).st_ino
    assert machine.index.read_bytes() == content


# (5) Those of other kernels


def test_5_old_indexes_and_unfinished_ones_go_and_nothing_else(
    machine: Machine, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    machine.cache.mkdir(mode=0o700)
    old, unfinished = f"{'ab' * 20}.btf-index", f".{machine.index.name}.{'cd' * 8}"
    for name in (old, unfinished, "notes.txt", "x.btf-index", f"{'ab' * 20}.btf-index.bak"):
        (machine.cache / name).write_bytes(b"")
    (machine.cache / f"{'ef' * 20}.btf-index").symlink_to(precious)
    (machine.cache / f"{'01' * 20}.btf-index").mkdir()
    assert not machine.is_read()
    left = {each.name for each in machine.cache.iterdir()}
    assert left == {
        machine.index.name,
        "notes.txt",
        "x.btf-index",
        f"{'ab' * 20}.btf-index.bak",
        f"{'01' * 20}.btf-index",
    }
    assert precious.read_bytes() == b"precious"
    assert machine.is_read()


# Build ids


def test_the_build_id_is_found_among_other_notes() -> None:
    notes = note(b"x" * 7, b"Xen\0") + note(BUILD_ID, b"stapsdt\0") + note(BUILD_ID)
    assert parse_build_id(notes) == BUILD_ID


@pytest.mark.parametrize(
    "notes",
    [
        pytest.param(b"", id="empty"),
        pytest.param(note(BUILD_ID)[:-1], id="cut"),
        pytest.param(note(b"1234567"), id="too-short"),
        pytest.param(note(bytes(33)), id="too-long"),
        pytest.param(struct.pack("=III", 0xFFFFFFFF, 0xFFFFFFFF, 3), id="sizes-of-4-gb"),
    ],
)
def test_other_notes_have_no_build_id(notes: bytes) -> None:
    assert parse_build_id(notes) is None


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80))
def test_no_notes_break_the_reader(notes: bytes) -> None:
    found = parse_build_id(notes)
    assert found is None or 8 <= len(found) <= 32
