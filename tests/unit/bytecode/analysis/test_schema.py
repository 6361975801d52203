"""The published form of reports: current, true of every report, and open for what comes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.builders.assembled import analysed, leave
from tests.builders.compiled import bundled_object
from tests.builders.objects import DIRECTORY, fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.configuring import configure
from skep.bytecode.analysis.document import Part
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.report_standing import Configured
from skep.bytecode.objectfile.reading import read_object

ROOT = Path(__file__).resolve().parents[4]
TOOL = ROOT / "tools" / "generate_report_schema.py"
SCHEMA = json.loads((ROOT / "docs" / "reference" / "report-v1.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def problems(document: object) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_what_is_published_is_what_the_code_does() -> None:
    done = subprocess.run(
        [sys.executable, TOOL, "--check"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_field_has_a_meaning() -> None:
    definitions = [SCHEMA, *SCHEMA["$defs"].values()]
    silent = [
        name
        for definition in definitions
        for name, field in definition["properties"].items()
        if name != "schema" and "description" not in field
    ]
    assert silent == []


@pytest.mark.parametrize("name", sorted(path.stem for path in DIRECTORY.glob("*.o")))
def test_the_report_of_every_fixture_fits(name: str) -> None:
    assert problems(json.loads(analyse(fixture(name)).to_bytes())) == []


@pytest.mark.parametrize("name", ["port-filter", "ratelimiting"])
def test_the_report_of_every_bundled_program_fits(name: str) -> None:
    report = analyse(read_object(bundled_object(name)))
    assert problems(json.loads(report.to_bytes())) == []
    assert {each.standard: each.conforms for each in report.standards}["skep chain"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"schema": "skep.report/v2"}, id="other-schema"),
        pytest.param({"taxonomy": "1"}, id="text-for-a-number"),
        pytest.param({"permissions": None}, id="null-for-a-list"),
        pytest.param({"cost": {"instructions": 1 << 64}}, id="more-than-64-bits"),
    ],
)
def test_what_readers_refuse_does_not_fit(change: dict[str, Any]) -> None:
    document = json.loads(analysed(leave(2)).to_bytes())
    assert problems(document | change)


def test_a_report_of_an_older_version_opens_and_fits() -> None:
    document = json.loads(analysed(leave(2)).to_bytes())
    for name in ("as_built", "standards", "runtimes"):
        del document[name]
    for name in ("core", "attach", "configuration", "to_set"):
        del document["requirements"][name]
    assert problems(document) == []
    assert AnalysisReport.from_document(document).standards == ()


def with_a_new_field_everywhere(value: object) -> object:
    if isinstance(value, dict):
        inside = {name: with_a_new_field_everywhere(each) for name, each in value.items()}
        return inside | {"field_of_tomorrow": {"deep": [1, "two", None]}}
    if isinstance(value, list):
        return [with_a_new_field_everywhere(each) for each in value]
    return value


@pytest.mark.parametrize("name", ["constants", "chained", "presence"])
def test_fields_of_tomorrow_fit_and_survive(name: str) -> None:
    document = with_a_new_field_everywhere(json.loads(analyse(fixture(name)).to_bytes()))
    assert problems(document) == []
    report = AnalysisReport.from_document(document)
    assert json.loads(report.to_bytes()) == document


def test_an_answer_about_settings_is_a_part_of_a_report() -> None:
    answer = configure(fixture("constants"), {"export": b"\1"})
    document = answer.to_document()
    assert Configured.from_document(document) == answer
    assert isinstance(answer, Part)
    part = {"$defs": SCHEMA["$defs"], "$ref": "#/$defs/Configured"}
    jsonschema.Draft202012Validator(part).validate(json.loads(json.dumps(document)))
