"""A reviewer looks at an object file: label, evidence, listing, picture, differences."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from tests.builders.commands import Ran, Skep

OBJECTS = Path(__file__).parents[1] / "fixtures" / "objects"


@pytest.fixture
def skep(tmp_path: Path) -> Skep:
    return Skep(tmp_path / "root")


def _refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran.err
    assert "bug" not in ran.err
    for word in words:
        assert word in ran.err


def test_a_label_fits_a_screen(skep: Skep) -> None:
    for path in sorted(OBJECTS.glob("*.o")):
        lines = skep.ok("inspect", path).out.splitlines()
        assert len(lines) <= 30
        assert all(len(line) <= 80 for line in lines[1:]), path
        assert "\x1b" not in "".join(lines)


def test_the_evidence_names_instruction_and_source(skep: Skep) -> None:
    out = skep.ok("inspect", OBJECTS / "maps.o", "--why", "net.drop").out
    assert "declared" in out
    assert "exit" in out
    assert "maps.bpf.c:" in out


def test_what_is_excluded_says_why(skep: Skep) -> None:
    ran = skep.ok("inspect", OBJECTS / "pass.o", "--why", "net.drop", "--json")
    assert ran.document["state"] == "excluded"
    assert ran.document["excluded_in"] == ["pass"]
    assert "data flow" in str(ran.document["reason"])


def test_an_unknown_permission_is_told_its_neighbours(skep: Skep) -> None:
    _refused(skep("inspect", OBJECTS / "pass.o", "--why", "net.dorp"), 2, "net.dorp", "net.drop")


def test_a_listing_has_labels_sources_and_maps(skep: Skep) -> None:
    out = skep.ok("inspect", OBJECTS / "subprograms.o", "--disassemble", "--program", "first").out
    assert "1: (85) call pc+5  <outer>" in out
    assert "r1 = map[.bss][0]+0" in out
    assert "; return state & 1; @ subprograms.bpf.c:10" in out
    assert "second" not in out


def test_an_unknown_program_is_told_the_known_ones(skep: Skep) -> None:
    for view in ("--disassemble", "--graph"):
        _refused(skep("inspect", OBJECTS / "pass.o", view, "--program", "no"), 2, "pass")


def test_a_picture_is_well_formed_and_always_the_same(skep: Skep, tmp_path: Path) -> None:
    wanted = ["inspect", OBJECTS / "subprograms.o", "--graph", "--program", "first", "-o"]
    for name in ("one.svg", "two.svg"):
        skep.ok(*wanted, tmp_path / name)
    data = (tmp_path / "one.svg").read_bytes()
    assert data == (tmp_path / "two.svg").read_bytes()
    assert b"<script" not in data
    assert ElementTree.fromstring(data).tag.endswith("svg")  # noqa: S314 - we wrote it


def test_a_picture_goes_nowhere_else(skep: Skep, tmp_path: Path) -> None:
    wanted = ["inspect", OBJECTS / "pass.o", "--graph", "-o"]
    _refused(skep(*wanted, tmp_path / "none" / "a.svg"), 4, "cannot be written")
    _refused(skep(*wanted, tmp_path), 4, "cannot be written")


def test_what_is_no_object_is_refused_by_every_view(skep: Skep, tmp_path: Path) -> None:
    path = tmp_path / "not.o"
    path.write_bytes(b"#!/bin/sh\n")
    for view in ([], ["--disassemble"], ["--graph"], ["--why", "net.drop"]):
        ran = skep("inspect", path, *view)
        assert ran.code not in (0, 1)
        assert "ELF" in ran.err
    assert skep("diff", path, OBJECTS / "pass.o").code not in (0, 1)


def test_more_permissions_mean_asking_again(skep: Skep) -> None:
    old, new = OBJECTS / "pass.o", OBJECTS / "subprograms.o"
    assert "consent must be asked again" in skep.ok("diff", old, new).out
    assert "consent need not be asked again" in skep.ok("diff", new, old).out
    document = skep.ok("diff", old, new, "--json").document
    assert document["schema"] == "skep.diff/v1"
    assert document["consent_required"] is True


def test_the_same_has_no_differences(skep: Skep) -> None:
    same = OBJECTS / "maps.o"
    assert skep.ok("diff", same, same).out == "nothing that matters changed\n"
