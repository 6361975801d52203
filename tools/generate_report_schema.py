"""Publish the form of reports: a JSON Schema, and tables of fields in docs/reference/report.md.

    python tools/generate_report_schema.py [--check]

Both are made from the dataclasses of ``skep.bytecode.analysis.report`` and their docstrings, so
they cannot say anything else than the code does.
"""

import inspect
import json
import re
import sys
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from skep.bytecode.analysis.document import Part
from skep.bytecode.analysis.report import SCHEMA, AnalysisReport

ROOT = Path(__file__).resolve().parents[1]
SCHEMA_FILE = ROOT / "docs" / "reference" / "report-v1.schema.json"
DOCUMENT = ROOT / "docs" / "reference" / "report.md"
_BEGIN, _END = "<!-- fields: made by tools/generate_report_schema.py -->", "<!-- end of fields -->"

_INTEGER = {"type": "integer", "minimum": -(1 << 63), "maximum": (1 << 64) - 1}


def parts() -> list[type[Part]]:
    """All parts of a report, the report first, each before what it is made of."""
    found: dict[type[Part], None] = {}
    waiting: list[type[Part]] = [AnalysisReport]
    while waiting:
        part = waiting.pop(0)
        if part not in found:
            found[part] = None
            for hint in get_type_hints(part).values():
                waiting += [each for each in _inside(hint) if each not in found]
    return list(found)


def _inside(hint: Any) -> list[type[Part]]:
    if isinstance(hint, type) and issubclass(hint, Part):
        return [hint]
    return [each for argument in get_args(hint) for each in _inside(argument)]


def descriptions(part: type[Part]) -> tuple[str, dict[str, str]]:
    """First paragraph and fields of a docstring, on one line each."""
    text = inspect.getdoc(part) or ""
    head, _, attributes = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in attributes.splitlines():
        begin = re.fullmatch(r"    (\w+): (.*)", line)
        if begin:
            name = begin[1]
            found[name] = begin[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    plain = " ".join(head.split())
    return _plain(plain), {name: _plain(each) for name, each in found.items()}


def _plain(text: str) -> str:
    text = re.sub(r":\w+:`[.~]*([^`]*)`", r"\1", text).replace("``", "`")
    return text.replace("`None`", "null").replace("`False`", "false").replace("`True`", "true")


def known_fields(part: type[Part]) -> list[tuple[str, Any, bool]]:
    """(name, hint, whether it must be there)."""
    hints = get_type_hints(part)
    return [
        (
            entry.name,
            hints[entry.name],
            entry.default is MISSING and entry.default_factory is MISSING,
        )
        for entry in fields(part)
        if entry.name != "unknown"
    ]


def _schema_of(hint: Any) -> dict[str, Any]:
    origin = get_origin(hint)
    if origin is tuple:
        return {"type": "array", "items": _schema_of(get_args(hint)[0])}
    if origin in {Union, UnionType}:
        (inner,) = (argument for argument in get_args(hint) if argument is not NoneType)
        return {"anyOf": [_schema_of(inner), {"type": "null"}]}
    if isinstance(hint, type) and issubclass(hint, Part):
        return {"$ref": f"#/$defs/{hint.__name__}"}
    scalars: dict[Any, dict[str, Any]] = {
        str: {"type": "string"},
        bool: {"type": "boolean"},
        int: _INTEGER,
    }
    return dict(scalars[hint])


def _definition(part: type[Part]) -> dict[str, Any]:
    text, attributes = descriptions(part)
    properties = {}
    for name, hint, _ in known_fields(part):
        properties[name] = _schema_of(hint)
        if name in attributes:
            properties[name]["description"] = attributes[name]
    return {
        "description": text,
        "type": "object",
        "properties": properties,
        "required": [name for name, _, is_required in known_fields(part) if is_required],
    }


def schema() -> dict[str, Any]:
    """The schema of a report; what it does not name is allowed everywhere."""
    report, *others = parts()
    whole = _definition(report)
    whole["properties"] = {"schema": {"const": SCHEMA}, **whole["properties"]}
    whole["required"] = ["schema", *whole["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:skep:schema:report:v1",
        "title": SCHEMA,
        **whole,
        "$defs": {part.__name__: _definition(part) for part in others},
    }


def _type_text(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is tuple:
        return f"list of {_type_text(get_args(hint)[0])}"
    if origin in {Union, UnionType}:
        (inner,) = (argument for argument in get_args(hint) if argument is not NoneType)
        return f"{_type_text(inner)} or null"
    if isinstance(hint, type) and issubclass(hint, Part):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    scalars: dict[Any, str] = {str: "text", bool: "boolean", int: "integer"}
    return scalars[hint]


def tables() -> str:
    """A heading and a table for each part."""
    lines = []
    for part in parts():
        text, attributes = descriptions(part)
        lines += [
            f"### {part.__name__}",
            "",
            text,
            "",
            "| field | form | meaning |",
            "|---|---|---|",
        ]
        if part is AnalysisReport:
            lines.append(f"| **`schema`** | text | `{SCHEMA}`. |")
        for name, hint, is_required in known_fields(part):
            shown = f"**`{name}`**" if is_required else f"`{name}`"
            lines.append(f"| {shown} | {_type_text(hint)} | {attributes.get(name, '')} |")
        lines.append("")
    return "\n".join(lines)


def contents() -> dict[Path, str]:
    """What the files should be."""
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    return {
        SCHEMA_FILE: json.dumps(schema(), indent=1, ensure_ascii=False) + "\n",
        DOCUMENT: f"{before}{_BEGIN}\n\n{tables()}\n{_END}{after}",
    }


def main() -> int:
    """Write or check; 0 if all is well."""
    stale = [
        path
        for path, text in contents().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not current: run tools/generate_report_schema.py")
        return 1 if stale else 0
    for path, text in contents().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
