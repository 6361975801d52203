"""Generated tables: current, and complete."""

import json
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from skep.bytecode.analysis.static_rules import (
    is_classified_helper,
    is_classified_kernel_function,
)
from skep.bytecode.analysis.taxonomy import (
    COMBINATIONS,
    PERMISSIONS,
    SEVERITIES,
)
from skep.bytecode.isa import kernel_types
from skep.bytecode.isa.first_kernels import (
    ATTACH_TYPES,
    GPL_PROGRAM_TYPES,
    MAP_TYPE_NAMES,
    MAP_TYPES,
    OPTIONAL_ATTACH_TYPES,
    PROGRAM_TYPES,
)
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.kernel_functions import KERNEL_FUNCTIONS
from skep.bytecode.isa.opcodes import GROUPS, OPCODES

ROOT = Path(__file__).resolve().parents[4]
GENERATOR = ROOT / "tools" / "generate_tables.py"


def test_the_tables_are_what_the_generator_writes() -> None:
    result = subprocess.run(
        [sys.executable, str(GENERATOR), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_there_are_as_many_rows_as_facts() -> None:
    def count(name: str, key: str) -> int:
        return len(json.loads((ROOT / "tools" / "facts" / f"{name}.json").read_text())[key])

    assert len(HELPERS) == count("helpers", "helpers") == 211
    assert len(KERNEL_FUNCTIONS) == count("kfuncs", "kfuncs")
    assert len(PERMISSIONS) == count("permissions", "permissions")
    assert len(MAP_TYPE_NAMES) == count("map_types", "map_types")
    assert sum(map(len, OPCODES.values())) == count("opcodes", "opcodes")


@pytest.mark.parametrize("number", sorted(HELPERS))
def test_every_helper_is_classified(number: int) -> None:
    assert is_classified_helper(number)


@pytest.mark.parametrize("name", sorted(KERNEL_FUNCTIONS))
def test_every_kernel_function_is_classified(name: str) -> None:
    assert is_classified_kernel_function(name)


def test_what_is_in_no_table_is_not_classified() -> None:
    assert not is_classified_helper(4999)
    assert not is_classified_kernel_function("bpf_brand_new")
    assert not is_classified_kernel_function("bpf_ct_brand_new")  # a pattern is not knowledge


def test_every_helper_in_the_taxonomy_exists() -> None:
    assert {number for row in PERMISSIONS.values() for number in row.helpers} <= set(HELPERS)


def test_every_pattern_of_the_taxonomy_matches_something() -> None:
    # Modules' functions are in no table: these patterns stand for names from documentation.
    patterns = [pattern for row in PERMISSIONS.values() for pattern in row.kernel_functions]
    unmatched = [
        pattern
        for pattern in patterns
        if not any(fnmatchcase(name, pattern) for name in KERNEL_FUNCTIONS)
    ]
    assert unmatched == []


def test_names_between_tables_agree() -> None:
    for row in PERMISSIONS.values():
        assert row.severity in SEVERITIES
        assert set(row.program_types) <= set(PROGRAM_TYPES)
        assert set(row.attach_types) <= set(ATTACH_TYPES)
        assert set(row.map_types) <= set(MAP_TYPE_NAMES.values())
    for flag in COMBINATIONS:
        assert {name for names in flag.all_of for name in names} <= set(PERMISSIONS)
        assert flag.severity in SEVERITIES
    assert set(ATTACH_TYPES) >= OPTIONAL_ATTACH_TYPES
    assert set(PROGRAM_TYPES) >= GPL_PROGRAM_TYPES
    assert {row.group for rows in OPCODES.values() for row in rows} <= {*GROUPS, None}


def test_numbers_agree_with_the_table_of_types() -> None:
    assert {name: number for number, name in MAP_TYPE_NAMES.items()} == dict(kernel_types.MAP_TYPES)
    assert set(PROGRAM_TYPES) == set(kernel_types.PROGRAM_TYPES) - {"UNSPEC"}
    assert set(MAP_TYPES) == set(kernel_types.MAP_TYPES.values()) - {0}


def test_a_stale_table_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "tools"
    (copy / "facts").mkdir(parents=True)
    for source in (ROOT / "tools" / "facts").glob("*.json"):
        (copy / "facts" / source.name).write_bytes(source.read_bytes())
    for name in ("generate_tables.py", "generated_files.py"):
        (copy / name).write_bytes((ROOT / "tools" / name).read_bytes())
    result = subprocess.run(
        [sys.executable, str(copy / "generate_tables.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "isa/helpers.py is not current" in result.stdout
