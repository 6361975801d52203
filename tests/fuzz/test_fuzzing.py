"""What a fuzzer found stays found, and a short run of it finds nothing new."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from tests.builders.kernels import bare_kernel, moved_kernel
from tests.fuzz.drafts import take_apart
from tests.fuzz.mutating import mutated
from tests.fuzz.running import CORPUS, fuzz, write_findings
from tests.fuzz.seeds import seeds
from tests.fuzz.stages import Finding, run

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.reading import read_object

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted(CORPUS.glob("*.o"))


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - cases must be repeatable, not secret


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_cases_once_found_end_as_they_should(case: Path) -> None:
    data = case.read_bytes()
    against = [None, KernelTypes.build(moved_kernel()), KernelTypes.build(bare_kernel())]
    for seed in range(4):
        run(data, against, _random(seed))


def test_a_short_run_in_bounded_memory_finds_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m tests.fuzz --executions 1500 --seed 1 --into {tmp_path}".split(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["executions"] == 1500
    assert document["read"] > 500, "mutations that are all refused at the door prove nothing"
    assert document["linked"] > 30
    assert document["outcomes"] > 300


def test_seeds_are_valid_and_come_back_whole() -> None:
    for data in seeds():
        again = read_object(take_apart(data).build())
        assert again == read_object(data)


def test_a_seed_and_a_number_name_a_case() -> None:
    drafts = [take_apart(data) for data in seeds()]
    one, two = ([mutated(drafts[0], _random(7), drafts) for _ in range(2)] for _ in range(2))
    assert one == two


def test_what_is_not_of_skeps_families_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(_data: bytes) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("tests.fuzz.stages.read_object", broken)
    tally = fuzz(0, lambda tally: tally.executions >= 3)
    assert ["KeyError" in what for what, _case in tally.findings.values()] == [True]
    write_findings(tally, tmp_path)
    assert len(list(tmp_path.glob("*.o"))) == 1


def test_an_error_the_reader_did_not_foresee_is_a_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unforeseen(_data: bytes) -> None:
        raise MalformedObject("unforeseen KeyError: 1")

    monkeypatch.setattr("tests.fuzz.stages.read_object", unforeseen)
    with pytest.raises(Finding, match="did not foresee"):
        run(b"", [], _random(0))
