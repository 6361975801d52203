"""The chain benchmark's arithmetic and picture; measuring itself is for a quiet machine."""

import json
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from benchmarks.chain import MOST_MEMBERS, SHAPES, main, report, slope, table
from benchmarks.chain_plot import draw

from skep.compiling.toolchain import CompilerChoice

COMPILER = CompilerChoice("zig", "0.17.1", ("zig", "cc"), ())
MEASURED = {
    "spliced": [30.0 + 2 * n for n in range(MOST_MEMBERS)],
    "tail": [30.0 + 5 * n for n in range(MOST_MEMBERS)],
    "call": [30.0 + 10 * n for n in range(MOST_MEMBERS)],
}


def test_the_slope_is_that_of_the_least_squares_line() -> None:
    assert slope([1.0, 1.0, 1.0]) == 0
    assert slope(MEASURED["tail"]) == pytest.approx(5)
    assert slope([0.0, 0.0, 3.0, 3.0]) == pytest.approx(1.2)


def test_the_report_compares_slopes() -> None:
    document = report(MEASURED, COMPILER, 15, 1000)
    assert document["ratios"] == {"spliced/tail": 0.4, "spliced/call": 0.2}
    assert json.loads(json.dumps(document)) == document
    text = table(document, MEASURED)
    assert "spliced/tail    0.40" in text
    assert len(text.splitlines()) == MOST_MEMBERS + 6


def test_the_plot_is_a_picture_with_a_description_and_a_line_for_each_shape() -> None:
    svg = draw(MEASURED, {shape: slope(values) for shape, values in MEASURED.items()})
    root = ElementTree.fromstring(svg)  # noqa: S314 - made two lines above
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}desc") == (
        "spliced: 2.0 ns each; tail calls: 5.0 ns each; calls: 10.0 ns each"
    )
    lines = root.findall(f"{space}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [MOST_MEMBERS] * len(SHAPES)
    for line in lines:
        for point in line.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 < x < 720
            assert 0 < y < 420


@pytest.mark.parametrize("text", ["0", "-1", "many"])
def test_there_must_be_something_to_measure(text: str) -> None:
    with pytest.raises(SystemExit):
        main(["--loads", text])


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: bpf(2)")
def test_a_short_run_gives_a_document_and_a_plot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "images" / "plot.svg"
    assert main(["--json", "--loads", "1", "--repeat", "100", "--plot", str(plot)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "skep.benchmark.chain/v1"
    assert {
        shape: len(values) for shape, values in document["nanoseconds"].items()
    } == dict.fromkeys(SHAPES, MOST_MEMBERS)
    assert plot.read_text().startswith("<svg")
