"""Our table of arguments against the prototypes in the header of the kernel's interface."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from skep.bytecode.isa.call_arguments import HELPER_ARGUMENTS
from skep.bytecode.isa.helpers import HELPERS

_NUMBER = re.compile(r"^\s*FN\((\w+), (\d+),", re.MULTILINE)
_PROTOTYPE = re.compile(
    r"^ \* ((?:struct )?\w+) (\*?)bpf_(\w+)\(([^\n]*)\)$",
    re.MULTILINE,
)

RESULTS_OF_THE_VERIFIER = {93: "none", 94: "none", 175: "pointer"}
"""Where the header says ``long`` and the verifier knows better."""


def header() -> Path | None:
    """The header as the compiler of the test environment brings it."""
    spec = find_spec("ziglang")
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    for place in places:
        found = Path(place) / "lib/libc/include/any-linux-any/linux/bpf.h"
        if found.exists():
            return found
    return None


@pytest.fixture(scope="module")
def prototypes() -> Mapping[int, tuple[str, tuple[str, ...]]]:
    """(sort of result, parameters) by number."""
    path = header()
    if path is None:
        pytest.skip("the compiler with the kernel's headers (skep[build]) is not installed")
    text = path.read_text(encoding="utf-8")
    numbers = {match[1]: int(match[2]) for match in _NUMBER.finditer(text)}
    found = {}
    for match in _PROTOTYPE.finditer(text):
        if match[3] in numbers:
            result = "pointer" if match[2] else "none" if match[1] == "void" else "number"
            parameters = () if match[4] == "void" else tuple(match[4].split(", "))
            number = numbers[match[3]]
            found[number] = (RESULTS_OF_THE_VERIFIER.get(number, result), parameters)
    return found


def test_every_prototype_is_read(prototypes: Mapping[int, tuple[str, tuple[str, ...]]]) -> None:
    assert set(prototypes) == set(HELPERS)


def test_rows_fit_the_prototypes(prototypes: Mapping[int, tuple[str, tuple[str, ...]]]) -> None:
    differing = {
        HELPERS[number].name: (prototypes[number], row)
        for number, row in HELPER_ARGUMENTS.items()
        if not fits(*prototypes[number], row.arguments, row.result)
    }
    assert differing == {}


def fits(sort: str, parameters: tuple[str, ...], arguments: tuple[str, ...], result: str) -> bool:
    """Whether roles can be those of a prototype."""
    if sort != (result if result in {"none", "number"} else "pointer"):
        return False
    if parameters[-1:] == ("...",):
        fixed = len(parameters) - 1
        if set(arguments[fixed:]) != {"format_value"}:
            return False
        parameters, arguments = parameters[:fixed], arguments[:fixed]
    return len(parameters) == len(arguments) and all(
        ("*" in parameter) == (role not in {"number", "size"})
        and not (
            "const " in parameter
            and "dynptr" not in parameter
            and role in {"write", "read_write", "kernel_object_write"}
        )
        for parameter, role in zip(parameters, arguments, strict=True)
    )


@pytest.mark.parametrize(
    ("sort", "parameters", "arguments", "result"),
    [
        pytest.param("number", ("u32 a",), (), "number", id="too-few"),
        pytest.param("number", ("u32 a",), ("read",), "number", id="no-pointer"),
        pytest.param("number", ("void *a",), ("number",), "number", id="a-pointer"),
        pytest.param("number", ("const void *a",), ("write",), "number", id="const"),
        pytest.param("pointer", (), (), "number", id="result"),
        pytest.param("number", ("const char *a", "..."), ("format", "number"), "number", id="rest"),
    ],
)
def test_a_wrong_row_is_noticed(
    sort: str, parameters: tuple[str, ...], arguments: tuple[str, ...], result: str
) -> None:
    assert not fits(sort, parameters, arguments, result)
