"""Tables that a tool writes."""

import subprocess
import sys
from pathlib import Path

from skep.bytecode.isa.kernel_types import ATTACH_TYPES, MAP_TYPES, PROGRAM_TYPES

ROOT = Path(__file__).resolve().parents[4]


def test_numbers_are_the_kernels() -> None:
    assert PROGRAM_TYPES["XDP"] == 6
    assert MAP_TYPES["RINGBUF"] == 27
    assert ATTACH_TYPES["XDP"] == 37


def test_the_modules_are_what_the_tool_would_write() -> None:
    tool = ROOT / "tools" / "generate_section_table.py"
    done = subprocess.run([sys.executable, tool, "--check"], check=False, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()
