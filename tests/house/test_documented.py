"""Whatever people can type, set or run into is in docs/reference; what is not there fails here."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click
import pytest
from tests.house.tree import ROOT, SOURCES, python_files, tree_of

from generate_reference import PAGES, permissions, rules, walk
from skep.bytecode.analysis.taxonomy import COMBINATIONS, PERMISSIONS
from skep.cli import exit_codes
from skep.cli.completing import COMPLETE
from skep.cli.main import app
from skep.cli.options import Argument, Command
from skep.errors import FAMILIES, SkepError
from skep.marketplace.vetting.rules import STANDARD_RULES
from skep.packages.setting_types import SCALAR_TYPES

_REFERENCE = ROOT / "docs" / "reference"
_CODES = vars(exit_codes)


def _page(name: str) -> str:
    return (_REFERENCE / f"{name}.md").read_text(encoding="utf-8")


def _not_in(page: str, names: Iterable[str]) -> list[str]:
    """Names that a page does not show as code."""
    text = re.sub("```.*?```", "", page, flags=re.DOTALL).replace("\\|", "|")
    codes = re.findall("`([^`]+)`", text)
    shown = {name for code in codes for name in [code, *re.split("[ ,]+", code)]}
    return [name for name in names if name not in shown]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_says_what_the_code_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path](), "run ./dev docs"


def _undocumented(page: str, root: click.Command) -> Iterator[str]:
    """Commands without help or section; arguments and options without meaning or row."""
    for called, command in walk(root, ("skep",)):
        section = page.partition(f"\n## {called}\n")[2].partition("\n## ")[0]
        if not section or not (command.help or "").strip():
            yield called
        for each in command.params:
            if isinstance(each, click.Option):
                names, meaning = each.opts, each.help
            else:
                names = [each.make_metavar(click.Context(command))]
                meaning = each.meaning if isinstance(each, Argument) else ""
            if not meaning or _not_in(section, names):
                yield f"{called} {names[-1]}"


def test_each_command_argument_and_option_is_documented() -> None:
    assert list(_undocumented(_page("commands"), app)) == []


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        pytest.param(
            Command("move", params=[click.Option(["--far"])], help="Move."),
            ["skep move --far"],
            id="option-without-help",
        ),
        pytest.param(
            Command("move", params=[click.Option(["--far"], help="Far.")], help="Move."),
            ["skep move --far"],
            id="option-that-is-on-no-page",
        ),
        pytest.param(
            Command("move", params=[click.Argument(["where"])], help="Move."),
            ["skep move WHERE"],
            id="argument-without-help",
        ),
        pytest.param(Command("move"), ["skep move"], id="command-without-help"),
        pytest.param(Command("fly", help="Fly."), ["skep fly"], id="command-on-no-page"),
    ],
)
def test_an_undocumented_word_is_found(planted: click.Command, found: list[str]) -> None:
    group = click.Group("skep", help="Skep.", commands=[planted])
    assert list(_undocumented(_page("commands"), group)) == found


def test_each_permission_is_documented() -> None:
    names = [*PERMISSIONS, *(each.combination_id for each in COMBINATIONS)]
    assert _not_in(_page("permissions"), names) == []


def test_an_undocumented_permission_is_found() -> None:
    planted = {**PERMISSIONS, "net.fly": PERMISSIONS["net.drop"]._replace(permission_id="net.fly")}
    assert _not_in(_page("permissions"), planted) == ["net.fly"]
    assert _not_in(permissions(planted), planted) == []


def test_each_rule_of_the_review_is_documented() -> None:
    assert _not_in(_page("rules"), (rule.rule_id for rule in STANDARD_RULES)) == []


def test_an_undocumented_rule_is_found() -> None:
    planted = [*STANDARD_RULES, replace(STANDARD_RULES[0], rule_id="pretty")]
    names = [rule.rule_id for rule in planted]
    assert _not_in(_page("rules"), names) == ["pretty"]
    assert _not_in(rules(planted), names) == []


def _families(kind: type[SkepError] = SkepError) -> set[str]:
    return {kind.family}.union(*map(_families, kind.__subclasses__()))


def test_each_exit_code_is_documented() -> None:
    page = _page("exit-codes")
    rows = set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE))
    codes = {str(value) for name, value in _CODES.items() if isinstance(value, int)}
    assert rows == codes | {str(family.exit_code) for family in FAMILIES.values()}
    assert _not_in(page, FAMILIES) == []
    assert _families() == {*FAMILIES}


def _bare_codes(module: ast.Module) -> Iterator[str]:
    """Exit codes written as numbers, where no table has them."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {
            "Exit", "exit", "SystemExit",
        }:  # fmt: skip
            values: list[ast.expr] = [*node.args]
        elif isinstance(node, ast.Assign) and "code" in ast.unparse(node.targets[0]):
            values = [node.value]
        elif isinstance(node, ast.FunctionDef) and node.name in {"run", "_run", "fail"}:
            values = [
                each.value
                for each in ast.walk(node)
                if isinstance(each, ast.Return) and each.value is not None
            ]
        else:
            continue
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, int):
                yield f"line {value.lineno}: exits with {value.value}"


def test_no_command_makes_up_an_exit_code() -> None:
    found = [
        f"{path.name}: {text}"
        for path in python_files(SOURCES / "cli")
        for text in _bare_codes(tree_of(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    ["raise click.exceptions.Exit(17)", "code = 17", "def _run() -> int:\n    return 17\n"],
)
def test_a_made_up_exit_code_is_found(text: str) -> None:
    assert len(list(_bare_codes(ast.parse(text)))) == 1


def _constants(module: ast.Module) -> dict[str, object]:
    return {
        ast.unparse(node.targets[0]): node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }


def _variables(module: ast.Module, elsewhere: Mapping[str, object]) -> Iterator[str]:
    """Environment variables that a module reads, by constants of its own or of others."""
    constants = {**elsewhere, **_constants(module)}
    for node in ast.walk(module):
        if isinstance(node, ast.Subscript):
            where, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            where, key = node.func.value, node.args[0]
            if node.func.attr != "get":
                continue
        else:
            continue
        if re.search(r"(?:environ|variables|environment)$", ast.unparse(where)):
            name = constants.get(
                ast.unparse(key), key.value if isinstance(key, ast.Constant) else ""
            )
            if isinstance(name, str) and re.fullmatch("[A-Z_]{2,}", name):
                yield name


def test_each_environment_variable_is_documented_and_no_other() -> None:
    modules = [tree_of(path) for path in python_files(SOURCES)]
    imported = {"COMPLETE": COMPLETE}
    read = {name for module in modules for name in _variables(module, imported)}
    assert {"SKEP_ROOT", "NO_COLOR", "_SKEP_COMPLETE"} <= read
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", _page("environment"), re.MULTILINE))
    assert rows == read


def test_a_variable_is_found_however_it_is_read() -> None:
    text = "_A = 'SKEP_A'\nx = os.environ.get(_A)\ny = run.variables['SKEP_B']\nz = {}.get('NO')\n"
    assert set(_variables(ast.parse(text), {})) == {"SKEP_A", "SKEP_B"}


_METADATA = ("metadata.py", "settings.py", "metrics.py", "map_sizes.py")
_READERS = {"text", "texts", "integer", "anything", "table", "tables", "named_tables"}


def _fields(module: ast.Module) -> Iterator[str]:
    """Fields of ``skep.toml`` that a module reads."""
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _READERS
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


def test_each_field_of_skep_toml_is_documented() -> None:
    read = {f for name in _METADATA for f in _fields(tree_of(SOURCES / "packages" / name))}
    assert {"licence", "max_entries_of", "settings"} <= read
    tables = {"package", "build", "program", "settings", "metrics", "maps"}
    page = _page("skep-toml")
    assert _not_in(page, read - tables) == []
    headings = re.findall(r"^## `\[+([a-z]+)", page, re.MULTILINE)
    assert set(headings) == read & tables == tables


def test_each_type_of_setting_is_documented() -> None:
    assert _not_in(_page("skep-toml"), SCALAR_TYPES) == []
