"""Reports as documents: canonical, strict where we know the field, patient where we do not."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.builders.assembled import R0, R1, R2, analysed, call, hash_map, leave, load

from skep.bytecode.analysis.errors import MalformedReport
from skep.bytecode.analysis.report import AnalysisReport
from skep.errors import codes

REPORT = analysed(load(4, R2, R1, 0), load(1, R0, R2, 12), call(6), leave(1), maps=[hash_map()])


def document() -> dict[str, Any]:
    fresh: dict[str, Any] = json.loads(REPORT.to_bytes())
    return fresh


def test_a_report_comes_back() -> None:
    assert AnalysisReport.from_document(document()) == REPORT
    assert AnalysisReport.from_bytes(REPORT.to_bytes()) == REPORT


_REPORTS = """
import hashlib, sys
from tests.builders.objects import fixture
from skep.bytecode.analysis.analysing import analyse
for name in sys.argv[1:]:
    print(hashlib.sha256(analyse(fixture(name)).to_bytes()).hexdigest())
"""


def test_every_process_writes_the_same_bytes() -> None:
    """Texts have other hashes in every process, so that a set of them has another order."""
    names = ("subprograms", "callback", "may_data_state", "maps_of_maps", "verdicts")
    written = {
        subprocess.run(
            [sys.executable, "-c", _REPORTS, *names],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(written) == 1


def test_bytes_are_canonical() -> None:
    data = REPORT.to_bytes()
    text = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert data == text.encode()


def test_the_document_has_what_others_read() -> None:
    fresh = document()
    assert fresh["schema"] == "skep.report/v1"
    program = fresh["programs"][0]
    assert program["helpers"] == [{"id": 6, "name": "bpf_trace_printk", "calls": 1}]
    assert {"name", "program_type", "section", "instructions", "permissions"} <= set(program)
    drop = next(each for each in fresh["permissions"] if each["id"] == "net.drop")
    assert {"id", "text", "severity", "confidence", "evidence"} <= set(drop)
    assert fresh["requirements"]["oldest_kernel"] == "4.8"
    assert fresh["licence"]["gpl_only_helpers"][0]["id"] == 6
    assert {"instructions", "map_bytes", "map_bytes_per_cpu", "maps"} <= set(fresh["cost"])


def test_unknown_fields_survive_at_every_level() -> None:
    fresh = document()
    fresh["invented"] = {"a": [1, None, True, "x"]}
    fresh["cost"]["maps"][0]["colour"] = "blue"
    fresh["permissions"][0]["evidence"][0]["weight"] = -1
    assert AnalysisReport.from_document(fresh).to_document() == fresh


def test_missing_fields_with_a_default_get_it() -> None:
    fresh = document()
    del fresh["combinations"]
    del fresh["programs"][0]["groups"]
    assert AnalysisReport.from_document(fresh).combinations == ()


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100):
        value = [value]
    return value


def put(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda fresh: fresh.update({name: value})


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        pytest.param(put("schema", "skep.report/v2"), "schema", id="other-schema"),
        pytest.param(put("schema", None), "schema", id="no-schema"),
        pytest.param(lambda fresh: fresh.pop("cost"), "'cost'", id="missing-part"),
        pytest.param(put("taxonomy", "1"), "taxonomy", id="text-for-a-number"),
        pytest.param(put("taxonomy", json.loads("true")), "taxonomy", id="boolean-for-a-number"),
        pytest.param(put("taxonomy", 1 << 70), "taxonomy", id="too-large"),
        pytest.param(put("programs", {}), "programs", id="object-for-a-list"),
        pytest.param(put("programs", [7]), r"programs\[0\]", id="wrong-element"),
        pytest.param(put("remarks", ["x", None]), r"remarks\[1\]", id="null-in-a-list"),
        pytest.param(put("requirements", None), "requirements", id="null-part"),
        pytest.param(put("x", 1.5), "x", id="fraction"),
        pytest.param(put("x", deep()), "levels", id="deep"),
        pytest.param(put("x", "\ud800"), "UTF-8", id="half-a-character"),
        pytest.param(put("x\ud800", 1), "UTF-8", id="half-a-character-in-a-name"),
    ],
)
def test_a_wrong_document_is_refused_with_the_place(
    damage: Callable[[dict[str, Any]], object], named: str
) -> None:
    fresh = document()
    damage(fresh)
    with pytest.raises(MalformedReport, match=named) as raised:
        AnalysisReport.from_document(fresh)
    assert codes(raised.value).exit_code == 3


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="not-text"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 100_000, id="very-deep"),
        pytest.param(b'{"schema": "skep.report/v1", "x": NaN}', id="not-a-number"),
        pytest.param(b'{"schema":"skep.report/v1","x":' + b"9" * 5000 + b"}", id="huge-number"),
    ],
)
def test_bytes_that_are_no_report_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedReport):
        AnalysisReport.from_bytes(data)


def test_a_program_is_found_by_name() -> None:
    assert REPORT.program("main").program_type == "XDP"
    with pytest.raises(KeyError):
        REPORT.program("other")
