"""What the mutation tests change in a file, and what they leave alone."""

import ast
from pathlib import Path

import pytest

from mutation import mutants


def changes(path: Path, source: str) -> list[str]:
    """What is made of each changed place of a source file."""
    path.write_text(source)
    return [each.after for each in mutants(path)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "module.py"


@pytest.mark.parametrize(
    ("source", "after"),
    [
        pytest.param("x = a < b", ["a <= b", "a >= b"], id="boundary-and-direction"),
        pytest.param("x = a and b", ["a or b", "b", "a"], id="connective-and-operands"),
        pytest.param("x = not a", ["a"], id="not"),
        pytest.param("x = a + 7", ["a - 7", "8", "6"], id="arithmetic-and-number"),
        pytest.param("x = f(a, b)", ["f(b, a)"], id="arguments"),
        pytest.param("x = f(key=a)", ["f()"], id="keyword"),
        pytest.param("f()", ["pass"], id="statement"),
        pytest.param("x = any(a)", ["all(a)"], id="function"),
        pytest.param("raise Error('a b')", ["pass"], id="raise"),
        pytest.param("x = [a for a in b if c]", ["for a in b"], id="condition"),
        pytest.param("while a:\n    break", ["while not a:", "continue"], id="loop"),
        pytest.param(
            "try:\n    x = 'a'\nexcept (A, B):\n    x = b",
            ["'~xa'", "except (B,)", "except (A,)"],
            id="handler",
        ),
        pytest.param("def f(a: 'A') -> 'B':\n    return a", ["return None"], id="returned"),
        pytest.param("@dataclass(frozen=True)\nclass A: pass", ["frozen=False"], id="frozen"),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_made(file: Path, source: str, after: list[str]) -> None:
    assert changes(file, source) == after


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "log.info('told', extra={'key': 1})",
        "x = f'{a + 1}'",
        "x = 'a whole sentence'",
        "x: 'A' = b",
        "__all__ = ['a']",
        "raise AssertionError('never')",
        "assert_never(a)",
    ],
)
def test_texts_and_what_no_test_can_see_are_left_alone(file: Path, source: str) -> None:
    assert changes(file, source) == []


def test_a_mutant_differs_from_its_file_in_one_place_and_keeps_its_lines(file: Path) -> None:
    file.write_text("def f(a):\n    if a > 1:\n        return a\n    return 0\n")
    original = ast.unparse(ast.parse(file.read_text())).splitlines()
    for mutant in mutants(file):
        changed = ast.unparse(mutant.tree()).splitlines()
        differing = [
            number
            for number, (old, new) in enumerate(zip(original, changed, strict=True), start=1)
            if old != new
        ]
        assert differing == [mutant.line]
        assert mutant.function == ("f", 1)
