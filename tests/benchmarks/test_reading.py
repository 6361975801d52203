"""The reading benchmark runs, and its objects are what they say; speed is for a quiet machine."""

import json

import pytest
from benchmarks.big_object import make_object
from benchmarks.reading import BOUNDS, Reading, measure

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.objectfile.reading import read_object


@pytest.fixture(scope="module")
def measured() -> Reading:
    return measure(rounds=1, programs=2, types=30)


def test_it_runs_and_its_document_is_json(measured: Reading) -> None:
    document = measured.document()
    assert json.loads(json.dumps(document)) == document
    assert set(BOUNDS) <= set(measured.seconds)
    assert measured.peak_bytes < 64 << 20


def test_the_table_has_a_line_for_everything_measured(measured: Reading) -> None:
    lines = measured.text().splitlines()
    assert len(lines) == 1 + len(measured.seconds) + 2 + 1 + len(measured.left_out)
    assert any(line.startswith("big, without data flow") and "150 ms" in line for line in lines)


def test_a_peer_that_is_not_there_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmarks.reading.shutil.which", lambda _name: None)
    monkeypatch.setattr("benchmarks.reading._PEER", "no_such_library")
    found = measure(rounds=1, programs=1, types=2)
    assert found.left_out == {
        "pyelftools": "it is not installed",
        "llvm-objdump": "it is not installed",
    }
    assert found.document()["ratios"] == {}


def test_the_objects_are_the_same_every_time_and_whole() -> None:
    data = make_object(3, 300, types=10, debug_bytes=320)
    assert data == make_object(3, 300, types=10, debug_bytes=320)
    found = read_object(data)
    assert [len(each.instructions) for each in found.functions] == [300, 300, 300]
    assert [each.name for each in found.maps] == ["flows", "counters", "jumps", "limits"]
    assert len(found.source_lines) == 450
    assert found.core_relocations
    report = analyse(found)
    assert all(program.is_resolved for program in report.programs)
    assert all(program.tail_calls for program in report.programs)
