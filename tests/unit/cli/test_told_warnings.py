"""Warnings of the rooms below reach people as sentences."""

import io
import logging

import pytest

from skep.cli.output import Output
from skep.cli.told_warnings import ToldWarnings


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "warning: a pin stays\n"),
        ({"pin": "xdp_1", "error": "busy"}, "warning: a pin stays (pin: xdp_1, error: busy)\n"),
        ({"pin": "xdp_1", "sentence": "xdp_1 is busy"}, "warning: xdp_1 is busy\n"),
    ],
)
def test_a_warning_is_told_with_its_fields_or_as_its_sentence(
    fields: dict[str, str], line: str
) -> None:
    stream = io.StringIO()
    log = logging.Logger("tests")
    log.addHandler(ToldWarnings(Output(err=stream)))
    log.warning("a pin stays", extra=fields)
    log.info("nobody need know")
    assert stream.getvalue() == line
