"""Write the pages of docs/reference that show tables of the code: they cannot say anything else.

tools/generate_reference.py            write the pages
tools/generate_reference.py --check    fail if they differ from what would be written
"""

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from generated_files import write_or_check
from skep import errors
from skep.bytecode.analysis.taxonomy import (
    COMBINATIONS,
    PERMISSIONS,
    SEVERITIES,
    TAXONOMY_VERSION,
    PermissionFacts,
)
from skep.bytecode.isa.helpers import HELPERS
from skep.cli.exit_codes import MEANINGS
from skep.cli.main import app
from skep.cli.options import Argument
from skep.marketplace.vetting.rules import STANDARD_RULES, Rule

ROOT = Path(__file__).resolve().parents[1]
_REFERENCE = ROOT / "docs" / "reference"
_FACTS = ROOT / "tools" / "facts" / "permissions.json"
_MADE = "<!-- Made by tools/generate_reference.py: run ./dev docs, do not edit. -->"


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    """A command and those below it, each with the words that call it."""
    yield " ".join(path), command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                if found := command.get_command(context, name):
                    yield from walk(found, (*path, name))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def commands() -> str:
    """Every command with its arguments and options, as ``--help`` has them."""
    lines = [
        _MADE,
        "# Commands",
        "",
        "What `skep COMMAND --help` says, on one page; every command takes `--help`. See also:",
        "[exit codes](exit-codes.md), [JSON documents](json.md) that `--json` prints, and the",
        "[environment](environment.md).",
    ]
    for called, command in walk(app, ("skep",)):
        lines += ["", *_command(called, command)]
    return "\n".join(lines) + "\n"


def _command(called: str, command: click.Command) -> Iterator[str]:
    yield f"## {called}"
    yield ""
    for paragraph in inspect.cleandoc(command.help or "").replace("\b\n", "").split("\n\n"):
        yield paragraph
        yield ""
    with click.Context(command, info_name=called) as context:
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"    {called} {usage}"
        arguments = [p for p in command.params if isinstance(p, Argument)]
        options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
        rows = [_option(option, context) for option in options if "--help" not in option.opts]
        if arguments:
            yield ""
            yield from _table(
                ("argument", "meaning"),
                [(f"`{name}`", text) for name, text in (each.row(context) for each in arguments)],
            )
    if rows:
        yield ""
        yield from _table(("option", "meaning"), rows)
    if command.epilog:
        yield ""
        yield "```"
        yield inspect.cleandoc(command.epilog).replace("\b\n", "")
        yield "```"


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context)
    assert record is not None, option.name
    written, meaning = record
    return f"`{written}`", meaning.replace("  [", " [")


def permissions(rows: Mapping[str, PermissionFacts] = PERMISSIONS) -> str:
    """Every permission, by area, with what shows it."""
    facts = json.loads(_FACTS.read_text("utf-8"))
    area = {row["id"]: row["area"] for row in facts["permissions"]}
    by_data = {row["id"] for row in facts["permissions"] if row.get("dataflow")}
    lines = [
        _MADE,
        "# Permissions",
        "",
        f"Version {TAXONOMY_VERSION} of the table. Permissions are derived from the bytecode,",
        "never declared; [labels](../explanation/labels.md) explains how, and what they do not",
        "promise. *Can* in a label is certain, *Might* is possible. The severity is the usual one,",
        f"of {', '.join(SEVERITIES)}; a smaller scope can lower it.",
        "",
        "*Shown by* names the calls and types that give the permission. *Data flow* stands for",
        "values the program reads, writes or returns; for return values see",
        "[verdicts](verdicts.md).",
    ]
    for name in dict.fromkeys(area.get(each, "other") for each in rows):
        lines += ["", f"## {name[0].upper()}{name[1:]}", ""]
        lines += _table(
            ("permission", "a label says", "severity", "shown by"),
            [
                (f"`{each.permission_id}`", each.text, each.severity, _shown_by(each, by_data))
                for each in rows.values()
                if area.get(each.permission_id, "other") == name
            ],
        )
    lines += ["", "## Combinations", ""]
    lines.append("Several permissions that mean more together, if all of them are certain.")
    lines.append("")
    lines += _table(
        ("combination", "a label says", "severity", "needs"),
        [
            (
                f"`{each.combination_id}`",
                each.text,
                each.severity,
                "; ".join(" or ".join(f"`{name}`" for name in group) for group in each.all_of),
            )
            for each in COMBINATIONS
        ],
    )
    return "\n".join(lines) + "\n"


def _shown_by(row: PermissionFacts, by_data: set[str]) -> str:
    types = [*row.program_types, *row.attach_types, *row.struct_ops, *row.map_types]
    calls = [*(HELPERS[number].name for number in row.helpers), *row.kernel_functions]
    parts = [", ".join(f"`{name}`" for name in names) for names in (calls, types) if names]
    if row.permission_id in by_data:
        parts.append("data flow")
    return "; ".join(parts) or "what Skep cannot classify"


def rules(standard: Sequence[Rule] = STANDARD_RULES) -> str:
    """Every rule of the review."""
    lines = [
        _MADE,
        "# Rules of the review",
        "",
        "A marketplace checks each package against these rules when it is published. An *error*",
        "refuses the package; a *warning* is shown. The name of a rule keeps its meaning, so",
        "scripts can rely on it.",
        "",
        *_table(
            ("rule", "severity", "demands", "what to do"),
            [(f"`{r.rule_id}`", r.severity, r.text, r.remediation) for r in standard],
        ),
    ]
    return "\n".join(lines) + "\n"


def exit_codes() -> str:
    """Every exit code."""
    families = {
        kind.family: (kind.__doc__ or "").partition("\n")[0]
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.SkepError)
    }
    families["internal"] = "A bug in Skep: please report it, with the output of `--verbose`."
    rows = [(code, "", meaning) for code, meaning in MEANINGS.items()]
    rows += [(c.exit_code, name, families[name]) for name, c in errors.FAMILIES.items()]
    lines = [
        _MADE,
        "# Exit codes",
        "",
        "Each family of errors has one code. The family says what you can do about the error; with",
        "`--json` it is in `error.family`.",
        "",
        *_table(
            ("code", "family", "meaning"),
            [(str(code), f"`{name}`" if name else "", text) for code, name, text in sorted(rows)],
        ),
        "",
        "What a command does, and its exit code, never depend on whether anyone reads its output:",
        "`skep list | head -1` exits with 0, and `skep install … --yes 2>&1 | head -1` installs.",
    ]
    return "\n".join(lines) + "\n"


PAGES: Mapping[Path, Callable[[], str]] = {
    _REFERENCE / "commands.md": commands,
    _REFERENCE / "permissions.md": permissions,
    _REFERENCE / "rules.md": rules,
    _REFERENCE / "exit-codes.md": exit_codes,
}

if __name__ == "__main__":
    sys.exit(write_or_check(PAGES, ROOT, sys.argv[1:]))
