"""The compiled fixtures are those of their sources."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.builders.objects import DIRECTORY, fixture

ROOT = Path(__file__).resolve().parents[3]
NAMES = sorted(path.stem for path in DIRECTORY.glob("*.o"))


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_is_read_without_remarks(name: str) -> None:
    found = fixture(name)
    assert found.programs
    assert found.remarks == ()
    assert found.has_btf
    assert found.source_lines


@pytest.mark.slow
def test_compiling_them_again_gives_the_same_bytes() -> None:
    tool = ROOT / "tools" / "build_fixtures.py"
    done = subprocess.run([sys.executable, tool, "--check"], check=False, capture_output=True)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
