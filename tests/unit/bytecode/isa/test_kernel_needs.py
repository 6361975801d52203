"""Tables of what kernels accept since when: current, complete, without contradiction."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from skep.bytecode.isa.first_kernels import ATTACH_TYPES, MAP_TYPES, PROGRAM_TYPES
from skep.bytecode.isa.helper_availability import (
    ATTACH_TYPES as BY_ATTACH_TYPE,
)
from skep.bytecode.isa.helper_availability import COLUMNS, GONE, LETTERS, RELEASES, SINCE, SLEEPABLE
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.kernel_features import (
    EXIT_RANGES,
    GONE_KERNEL_FUNCTIONS,
    HELPER_FLAGS,
    LSM_HOOKS,
    MAP_FLAGS,
    ExitRange,
)
from skep.hooks.verdicts import verdicts_of

ROOT = Path(__file__).resolve().parents[4]
GENERATOR = ROOT / "tools" / "generate_kernel_needs.py"


def test_the_tables_are_what_the_generator_writes() -> None:
    result = subprocess.run(
        [sys.executable, str(GENERATOR), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_helper_has_a_row_with_a_place_for_every_type() -> None:
    assert SINCE.keys() == HELPERS.keys()
    assert {len(row) for row in SINCE.values()} == {len(COLUMNS)}
    assert len(LETTERS) == len(RELEASES)


def test_the_facts_hold_as_many_cells_as_the_table() -> None:
    facts = json.loads((ROOT / "tools" / "facts" / "helper_availability.json").read_text())
    cells = sum(len(found) for row in facts["helpers"] for found in row["since"].values())
    assert cells == sum(letter != "-" for row in SINCE.values() for letter in row) == 3291


@pytest.mark.parametrize("column", COLUMNS)
def test_no_cell_is_older_than_helper_or_type(column: str) -> None:
    program_type = column.partition(":")[0]
    place = COLUMNS.index(column)
    for helper, row in SINCE.items():
        if row[place] == "-":
            continue
        since = RELEASES[LETTERS.index(row[place])]
        assert since >= max(HELPERS[helper].first_kernel, PROGRAM_TYPES[program_type]), helper
        assert GONE.get((helper, column), (99, 0)) > since


@pytest.mark.parametrize("row", EXIT_RANGES)
def test_ranges_agree_with_the_tables_of_verdicts(row: ExitRange) -> None:
    for attach_type in row.attach_types or (None,):
        table = verdicts_of(row.program_type, attach_type)
        assert table is not None
        if table.accepted is not None:
            low, high = table.accepted
            assert low <= row.low <= row.high <= high


def test_what_is_named_exists() -> None:
    assert {helper for helper, _ in GONE} | {helper for helper, _ in SLEEPABLE} <= HELPERS.keys()
    assert {column for _, column in GONE} <= set(COLUMNS)
    named = {name for allowed in BY_ATTACH_TYPE.values() for name in allowed}
    assert named | {name for row in EXIT_RANGES for name in row.attach_types} <= ATTACH_TYPES.keys()
    assert {row.helper for row in HELPER_FLAGS} <= HELPERS.keys()


def test_flags_are_newer_than_what_has_them() -> None:
    for row in HELPER_FLAGS:
        assert row.since >= HELPERS[row.helper].first_kernel, row
        assert 1 <= row.argument <= 5
    assert all(since > min(MAP_TYPES.values()) for _, since in MAP_FLAGS.values())
    assert all(bit.bit_count() == 1 for bit in MAP_FLAGS)


def test_what_went_came_before() -> None:
    assert all(gone > since for since, gone in GONE_KERNEL_FUNCTIONS.values())
    assert all(since >= PROGRAM_TYPES["LSM"] for since, _ in LSM_HOOKS.values())
    assert all(gone is None or gone > since for since, gone in LSM_HOOKS.values())
