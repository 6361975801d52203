"""What arguments of calls are: a row for everything, and nothing harmless without a reason."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skep.bytecode.isa.call_arguments import (
    ARGUMENT_ROLES,
    EFFECTS,
    HELPER_ARGUMENTS,
    KERNEL_FUNCTION_ARGUMENTS,
    RESULT_ROLES,
    CallArguments,
)
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.kernel_functions import KERNEL_FUNCTIONS

ROOT = Path(__file__).resolve().parents[4]
GENERATOR = ROOT / "tools" / "generate_call_arguments.py"

ALL = [
    *((HELPERS[number].name, row) for number, row in HELPER_ARGUMENTS.items()),
    *KERNEL_FUNCTION_ARGUMENTS.items(),
]


def test_every_helper_and_every_kernel_function_has_a_row() -> None:
    assert set(HELPER_ARGUMENTS) == set(HELPERS)
    assert set(KERNEL_FUNCTION_ARGUMENTS) == set(KERNEL_FUNCTIONS)


@pytest.mark.parametrize(("name", "row"), ALL, ids=[name for name, _ in ALL])
def test_a_row_uses_known_roles_and_says_where_it_comes_from(name: str, row: CallArguments) -> None:
    assert set(row.arguments) <= set(ARGUMENT_ROLES)
    assert row.result in RESULT_ROLES
    assert len(row.arguments) <= 5
    assert row.source
    assert row.arguments[:1] != ("size",), "a size belongs to the argument before it"


def test_every_role_is_used() -> None:
    used = {role for _, row in ALL for role in row.arguments}
    assert set(ARGUMENT_ROLES) == used
    assert used >= EFFECTS


@pytest.mark.parametrize(
    ("helper", "arguments", "result"),
    [
        (1, ("map", "read"), "map_value"),
        (6, ("format", "size", "format_value", "format_value", "format_value"), "number"),
        (26, ("context", "number", "write", "size"), "number"),
        (36, ("user_address_write", "read", "size"), "number"),
        (84, ("context", "read", "size", "number", "number"), "socket"),
        (100, ("kernel_object", "read", "size", "read", "size"), "number"),
        (113, ("write", "size", "kernel_address"), "number"),
        (165, ("write", "size", "format", "format_arguments", "size"), "number"),
        (203, ("dynptr", "number", "number"), "dynptr_memory"),
    ],
)
def test_what_helpers_do_with_their_arguments(
    helper: int, arguments: tuple[str, ...], result: str
) -> None:
    row = HELPER_ARGUMENTS[helper]
    assert (row.arguments, row.result) == (arguments, result)


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("bpf_strlen", ("kernel_address",), "number"),
        ("bpf_iter_bits_new", ("iterator", "kernel_address", "number"), "number"),
        ("bpf_crypto_encrypt", ("kernel_object",) + ("dynptr_read",) + ("dynptr_write",) * 2, ""),
        ("bpf_dynptr_slice", ("dynptr_read", "number", "write", "size"), "dynptr_memory"),
        ("bpf_ct_set_timeout", ("kernel_object_write", "number"), "none"),
        ("bpf_stream_vprintk", ("number", "format", "format_arguments", "size"), "number"),
    ],
)
def test_what_kernel_functions_do_with_their_arguments(
    name: str, arguments: tuple[str, ...], result: str
) -> None:
    row = KERNEL_FUNCTION_ARGUMENTS[name]
    assert (row.arguments, row.result) == (arguments, result or "number")


def test_the_table_is_what_the_generator_writes() -> None:
    result = subprocess.run(
        [sys.executable, str(GENERATOR), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _drop_first(rows: list[dict[str, Any]]) -> None:
    del rows[0]


def _change_first(**values: Any) -> Callable[[list[dict[str, Any]]], None]:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0].update(values)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(_drop_first, "bpf_map_lookup_elem: no row", id="no-row"),
        pytest.param(
            _change_first(arguments=["map", "glance"]), "unknown role 'glance'", id="unknown-role"
        ),
        pytest.param(_change_first(result="joy"), "unknown result 'joy'", id="unknown-result"),
        pytest.param(_change_first(reason=""), "no reason is given", id="no-reason"),
        pytest.param(
            _change_first(arguments=["number"] * 6), "6 arguments", id="too-many-arguments"
        ),
        pytest.param(_change_first(source="rumour"), "unknown source", id="unknown-source"),
        pytest.param(_change_first(id=2), "number 2 is another helper's", id="wrong-number"),
        pytest.param(
            _change_first(arguments=["kernel_address"]), "no reason may excuse it", id="excused"
        ),
        pytest.param(
            _change_first(arguments=["kernel_object_write"], reason=""),
            "a permission must name it",
            id="unnamed-change",
        ),
    ],
)
def test_the_generator_refuses_facts_that_are_wrong(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    facts = tmp_path / "tools" / "facts"
    facts.mkdir(parents=True)
    for source in (ROOT / "tools" / "facts").glob("*.json"):
        (facts / source.name).write_bytes(source.read_bytes())
    path = facts / "helper_arguments.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document["helpers"])
    path.write_text(json.dumps(document), encoding="utf-8")
    for name in (GENERATOR.name, "generated_files.py"):
        (tmp_path / "tools" / name).write_bytes((ROOT / "tools" / name).read_bytes())
    copy = tmp_path / "tools" / GENERATOR.name
    result = subprocess.run(
        [sys.executable, str(copy), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert message in result.stdout


@pytest.mark.parametrize(
    "path",
    ["docs/reference/calls.md", "src/skep/bytecode/isa/call_arguments.py"],
)
def test_a_stale_file_is_noticed(tmp_path: Path, path: str) -> None:
    for name in (
        *(f"tools/facts/{source.name}" for source in (ROOT / "tools" / "facts").glob("*.json")),
        f"tools/{GENERATOR.name}",
        "tools/generated_files.py",
        "docs/reference/calls.md",
        "src/skep/bytecode/isa/call_arguments.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    with (tmp_path / path).open("a") as file:
        file.write("| more |\n")
    result = subprocess.run(
        [sys.executable, str(tmp_path / "tools" / GENERATOR.name), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout == (f"{path} is not current: run tools/generate_call_arguments.py\n")
