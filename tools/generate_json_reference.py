"""Makes docs/reference/json.md from tools/facts/json_documents.toml.

python tools/generate_json_reference.py [--check]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from document_table import ELSEWHERE, Described, Table, read_table
from generated_files import write_or_check

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "json.md"

_HEAD = """\
<!-- Made by tools/generate_json_reference.py from tools/facts/json_documents.toml. -->
# JSON documents

With `--json`, every command prints one document on standard output, also for errors and usage
errors; progress and warnings stay on standard error. The second part lists the requests and
answers of a marketplace. The field `schema` names each document: `skep.dev/<name>/<version>`;
only [reports](report.md) have another spelling.

- A version may get new fields; its fields are not removed, renamed, moved or given another meaning
  or unit. Ignore fields you do not know.
- A path names members with dots; `[]` is each item of a list, `*` each member of an object whose
  names are data. Optional fields are marked.
- Digests are `sha256:` and 64 digits, fingerprints `SHA256:` and 64 digits.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines(read_table())) + "\n"


def _lines(table: Table) -> Iterator[str]:
    documents = table.documents.values()
    yield _HEAD
    yield "## Printed by commands"
    for each in documents:
        if each.command:
            yield from _section(each, table)
    yield ""
    yield "## Requests and answers of a marketplace"
    for each in documents:
        if each.request and not each.command:
            yield from _section(each, table)
    yield ""
    yield "## Parts of several documents"
    for each in table.parts.values():
        yield from _section(each, table)


def _section(described: Described, table: Table) -> Iterator[str]:
    is_document = bool(described.command or described.request)
    yield ""
    yield f"### `{described.schema}`" if is_document else f"### {described.name}"
    yield ""
    if described.command:
        command = described.command
        yield f"Printed by {f'`{command}`' if command.startswith('skep') else command}."
    if described.request:
        yield f"HTTP: {described.request}."
    yield described.about
    if described.is_passed_on:
        yield "Fields that a newer marketplace adds are passed on."
    yield ""
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field in described.fields.values():
        types = " or ".join(
            f"[{name}](#{name})" if name in table.parts else name.replace(ELSEWHERE, "object")
            for name in field.types
        )
        optional = ", optional" if field.is_optional else ""
        yield f"| `{field.path}` | {types}{optional} | {field.meaning} |"


if __name__ == "__main__":
    sys.exit(write_or_check({PAGE: page}, ROOT, sys.argv[1:]))
