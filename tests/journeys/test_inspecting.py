"""Somebody looks at an object before running it: why it is labelled so, and what changed."""

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from tests.builders.commands import Ran, Skep
from tests.builders.elf import RETURN_2, licensed, minimal
from tests.builders.kernels import moved_kernel
from tests.builders.objects import DIRECTORY

from skep.bytecode.isa.instructions import Instruction

MAPS = DIRECTORY / "maps.o"
PASS = DIRECTORY / "pass.o"


@pytest.fixture
def looking(tmp_path: Path) -> Skep:
    return Skep(tmp_path / "root")


def _refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran.err
    assert "bug" not in ran.err
    for word in words:
        assert word in ran.err


def test_why_names_program_instruction_and_source_line(looking: Skep) -> None:
    out = looking.ok("inspect", MAPS, "--why", "net.drop").out
    assert "Can drop packets" in out
    assert "count: exit value 1" in out
    assert "23: exit" in out
    assert "; return map_lookup(&seen, &key) ? XDP_DROP : XDP_PASS; @ ./maps.bpf.c:40" in out


def test_the_evidence_names_instruction_and_source(looking: Skep) -> None:
    out = looking.ok("inspect", MAPS, "--why", "net.drop").out
    assert "(certain)" in out
    assert "exit" in out
    assert "maps.bpf.c:" in out


def test_what_is_excluded_says_why(looking: Skep) -> None:
    ran = looking.ok("inspect", PASS, "--why", "net.drop", "--json")
    assert ran.document["state"] == "excluded"
    assert ran.document["excluded_in"] == ["pass"]
    assert "data-flow" in str(ran.document["reason"])


def test_an_unknown_permission_is_told_its_neighbours(looking: Skep) -> None:
    _refused(looking("inspect", PASS, "--why", "net.dorp"), 2, "net.dorp", "net.drop")


def test_a_listing_has_labels_sources_and_maps(looking: Skep) -> None:
    out = looking.ok(
        "inspect", DIRECTORY / "subprograms.o", "--disassemble", "--program", "first"
    ).out
    assert "1: (85) call pc+5  <outer>" in out
    assert "r1 = map[.bss][0]+0" in out
    assert "; return state & 1; @ subprograms.bpf.c:10" in out
    assert "second" not in out


def test_an_unknown_program_is_told_the_known_ones(looking: Skep) -> None:
    for view in ("--disassemble", "--graph"):
        _refused(looking("inspect", PASS, view, "--program", "no"), 2, "pass")


def test_a_picture_is_well_formed_and_always_the_same(looking: Skep, tmp_path: Path) -> None:
    wanted = ["inspect", DIRECTORY / "subprograms.o", "--graph", "--program", "first", "-o"]
    for name in ("one.svg", "two.svg"):
        looking.ok(*wanted, tmp_path / name)
    data = (tmp_path / "one.svg").read_bytes()
    assert data == (tmp_path / "two.svg").read_bytes()
    assert b"<script" not in data
    assert ElementTree.fromstring(data).tag.endswith("svg")  # noqa: S314 - we wrote it


def test_a_picture_goes_nowhere_else(looking: Skep, tmp_path: Path) -> None:
    wanted = ["inspect", PASS, "--graph", "-o"]
    _refused(looking(*wanted, tmp_path / "none" / "a.svg"), 4, "cannot be written")
    _refused(looking(*wanted, tmp_path), 2, "it is not a file")


def test_what_is_no_object_is_refused_by_every_view(looking: Skep, tmp_path: Path) -> None:
    path = tmp_path / "not.o"
    path.write_bytes(b"#!/bin/sh\n")
    for view in ([], ["--disassemble"], ["--graph"], ["--why", "net.drop"]):
        ran = looking("inspect", path, *view)
        assert ran.code not in (0, 1)
        assert "ELF" in ran.err
    assert looking("diff", path, PASS).code not in (0, 1)


def test_a_version_that_may_more_asks_for_consent_again(looking: Skep) -> None:
    out = looking.ok("diff", PASS, MAPS).out
    assert "+ Can drop packets  [net.drop]" in out
    assert "instructions: 2 → 24" in out
    assert "+ counters: PERCPU_ARRAY" in out
    assert "consent must be asked again" in out


def test_a_version_that_may_less_does_not(looking: Skep) -> None:
    ran = looking.ok("diff", MAPS, PASS)
    assert "- Can drop packets  [net.drop]" in ran.out
    assert "no new consent needed" in ran.out


def test_the_same_twice_has_no_difference(looking: Skep) -> None:
    assert "no relevant changes" in looking.ok("diff", MAPS, MAPS).out


def test_a_difference_as_a_document(looking: Skep) -> None:
    document = looking.ok("diff", PASS, MAPS, "--json").document
    assert document["schema"] == "skep.dev/diff/1"
    assert document["consent_required"] is True
    assert document["before"] == {"file": str(PASS)}


def test_packages_of_one_object_each_are_compared_by_it(skep: Skep) -> None:
    projects = skep.root.parent / "projects"
    out = skep.ok("diff", projects / "port-filter", projects / "ratelimiting").out
    assert out.startswith("skep/port-filter:1.0.0")
    assert "+ rl_windows: LRU_HASH" in out
    assert "no new consent needed" in out


def test_a_difference_with_what_is_no_object_is_malformed(looking: Skep, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    ran = looking("diff", PASS, text)
    assert ran.code == 3
    assert "ELF" in ran.err


def test_an_object_is_checked_against_a_version(looking: Skep) -> None:
    assert "fits" in looking.ok("inspect", MAPS, "--kernel", "6.1").out
    ran = looking("inspect", DIRECTORY / "map_extra.o", "--kernel", "5.10")
    assert ran.code == 8
    assert "BLOOM_FILTER needs Linux 5.16" in ran.out


def test_an_object_is_checked_against_a_file_of_types(looking: Skep, tmp_path: Path) -> None:
    types = tmp_path / "kernel.btf"
    types.write_bytes(moved_kernel())
    ran = looking.ok("inspect", DIRECTORY / "core_kinds.o", "--kernel", types, "--json")
    assert ran.document["schema"] == "skep.dev/inspect-kernel/1"
    assert ran.document["fits"] is True
    assert "never_there" in ran.out


def test_what_is_no_kernel_is_an_error_and_nothing_waits(looking: Skep, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    _refused(looking("inspect", PASS, "--kernel", pipe), 2, "not a file")
    _refused(looking("inspect", PASS, "--kernel", tmp_path), 2, "not a file")
    text = tmp_path / "vmlinuz"
    text.write_bytes(b"MZ" * 100)
    _refused(looking("inspect", PASS, "--kernel", text), 3, "vmlinuz", "unpacked")
    _refused(looking("inspect", PASS, "--kernel", "vmlinux-6.1"), 2, "there is no file")


@pytest.mark.skipif(
    not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel was built without types"
)
def test_an_object_is_checked_against_the_running_kernel(looking: Skep) -> None:
    assert "this machine" in looking.ok("inspect", MAPS, "--kernel", "running").out


def test_a_version_of_a_vendor_that_backports_cannot_tell(looking: Skep) -> None:
    release = "4.18.0-553.el8_10.x86_64"
    asked = (DIRECTORY / "map_extra.o", "--kernel", release)
    ran = looking.ok("inspect", *asked)
    assert "cannot tell from the version" in ran.out
    assert "give its BTF" in ran.out
    assert looking.ok("inspect", *asked, "--json").document["fits"] == "unknown"
    assert looking("inspect", *asked, "--strict").code == 8
    assert looking("inspect", PASS, "--kernel", release, "--strict").code == 0
    _refused(looking("inspect", PASS, "--strict"), 2, "--strict goes with --kernel")


def test_code_without_optimisation_fits_no_kernel(looking: Skep, tmp_path: Path) -> None:
    builder = licensed()
    code = [Instruction(0x8D, 0, 0, 0, 1), *RETURN_2]
    section = builder.code("xdp", code)
    builder.symbol("prog", section, size=8 * len(code))
    path = tmp_path / "o0.o"
    path.write_bytes(builder.build())
    label = looking.ok("inspect", path).out
    assert "no kernel loads it: prog: calls through a register (0x8d)" in label
    assert "compile with -O2" in label
    assert ": yes" not in label
    assert "possibly" not in label
    ran = looking("inspect", path, "--kernel", "6.12", "--json")
    assert (ran.code, ran.document["fits"]) == (8, False)


@pytest.mark.skipif(
    not Path("/sys/kernel/btf/vmlinux").exists(), reason="this kernel was built without types"
)
def test_an_object_of_another_byte_order_is_answered(looking: Skep, tmp_path: Path) -> None:
    path = tmp_path / "big.o"
    path.write_bytes(minimal("big").build())
    ran = looking("inspect", path, "--kernel", "running")
    assert ran.code == 8
    assert "the object is for big-endian machines" in ran.out
    assert "big-endian machines only" in looking.ok("inspect", path, "--kernel", "6.1").out


def test_a_constant_says_what_it_switches_off(looking: Skep) -> None:
    constants = DIRECTORY / "constants.o"
    off = looking.ok("inspect", constants, "--set", "export=0", "--set", "mode=3").out
    assert "no longer: data.export" in off
    assert "bpf_ringbuf_output" in off
    document = looking.ok("inspect", constants, "--set", "export=1", "--json").document
    assert document["schema"] == "skep.dev/inspect-set/1"
    objects = document["objects"]
    assert isinstance(objects, dict)
    assert "bpf_ringbuf_output" not in objects["constants.o"]["helpers"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("export", "expected"),
        ("export=256", "expected"),
        ("export=on", "expected"),
        ("nothing=1", "there is no constant 'nothing'"),
        ("seen=1", "there is no constant 'seen'"),
    ],
)
def test_what_is_no_constant_or_does_not_fit_it_is_refused(
    looking: Skep, text: str, words: str
) -> None:
    _refused(looking("inspect", DIRECTORY / "constants.o", "--set", text), 2, words)
