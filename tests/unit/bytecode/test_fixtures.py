"""The compiled fixtures are those of their sources."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.builders.objects import DIRECTORY, fixture

ROOT = Path(__file__).resolve().parents[3]
NAMES = sorted(path.stem for path in DIRECTORY.glob("*.o"))


WITHOUT_PROGRAMS = {"only_struct_ops"}


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_is_read_without_remarks(name: str) -> None:
    found = fixture(name)
    assert bool(found.programs) == (name not in WITHOUT_PROGRAMS)
    assert bool(found.source_lines) == (name not in WITHOUT_PROGRAMS)
    assert found.remarks == ()
    assert found.has_btf


@pytest.mark.slow
def test_compiling_them_again_gives_the_same_bytes() -> None:
    tool = ROOT / "tools" / "build_fixtures.py"
    done = subprocess.run([sys.executable, tool, "--check"], check=False, capture_output=True)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
