"""Somebody looks at an object before running it: why it is labelled so, and what changed."""

from pathlib import Path

import pytest
from tests.builders.commands import Skep
from tests.builders.objects import DIRECTORY

MAPS = DIRECTORY / "maps.o"
PASS = DIRECTORY / "pass.o"


@pytest.fixture
def looking(tmp_path: Path) -> Skep:
    return Skep(tmp_path / "root")


def test_why_names_program_instruction_and_source_line(looking: Skep) -> None:
    out = looking.ok("inspect", MAPS, "--why", "net.drop").out
    assert "Can drop network packets" in out
    assert "program count" in out
    assert "count+23" in out
    assert "maps.bpf.c:40  return map_lookup(&seen, &key) ? XDP_DROP : XDP_PASS;" in out


def test_why_says_who_is_excluded_although_its_type_could(looking: Skep) -> None:
    out = looking.ok("inspect", PASS, "--why", "net.drop").out
    assert "program pass: its type could" in out


def test_why_says_when_nothing_in_it_does(looking: Skep) -> None:
    out = looking.ok("inspect", PASS, "--why", "kernel.crash").out
    assert "nothing in it says" in out


def test_why_as_a_document(looking: Skep) -> None:
    document = looking.ok("inspect", MAPS, "--why", "net.drop", "--json").document
    assert document["schema"] == "skep.why/v1"
    objects = document["objects"]
    assert isinstance(objects, dict)
    (found,) = objects["maps.o"]["found"]
    assert {place["line"] for place in found["evidence"]} == {40, 47}


def test_why_of_no_permission_is_a_usage_error_with_a_hint(looking: Skep) -> None:
    ran = looking("inspect", MAPS, "--why", "net.dorp")
    assert ran.code == 2
    assert "did you mean net.drop" in ran.err


def test_a_version_that_may_more_asks_for_consent_again(looking: Skep) -> None:
    out = looking.ok("diff", PASS, MAPS).out
    assert "+ may: Can drop network packets  [net.drop]" in out
    assert "instructions: 2 → 24" in out
    assert "+ counters: PERCPU_ARRAY" in out
    assert "consent must be asked again" in out


def test_a_version_that_may_less_does_not(looking: Skep) -> None:
    ran = looking.ok("diff", MAPS, PASS)
    assert "- may: Can drop network packets  [net.drop]" in ran.out
    assert "nobody needs to be asked again" in ran.out


def test_the_same_twice_has_no_difference(looking: Skep) -> None:
    assert "nothing that matters changed" in looking.ok("diff", MAPS, MAPS).out


def test_a_difference_as_a_document(looking: Skep) -> None:
    document = looking.ok("diff", PASS, MAPS, "--json").document
    assert document["schema"] == "skep.diff/v1"
    assert document["consent_required"] is True
    assert document["before"] == {"file": str(PASS)}


def test_packages_of_one_object_each_are_compared_by_it(skep: Skep) -> None:
    projects = skep.root.parent / "projects"
    out = skep.ok("diff", projects / "port-filter", projects / "ratelimiting").out
    assert out.startswith("skep/port-filter:1.0.0")
    assert "+ rl_windows: LRU_HASH" in out
    assert "nobody needs to be asked again" in out


def test_a_difference_with_what_is_no_object_is_malformed(looking: Skep, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    ran = looking("diff", PASS, text)
    assert ran.code == 3
    assert "ELF" in ran.err
