"""The table of JSON documents, ``tools/facts/json_documents.toml``, and what it says of one.

A module for the generator of ``docs/reference/json.md`` and for the tests.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parent / "facts" / "json_documents.toml"
PLAIN_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "list": (list,),
    "null": (type(None),),
}
ELSEWHERE = "document"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a document.

    Attributes:
        path: see the table.
        types: plain ones, ``document``, or names of parts.
        meaning: for people.
        is_optional: it need not be there.
    """

    path: str
    types: tuple[str, ...]
    meaning: str
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Described:
    """A document, or a part of several.

    Attributes:
        name: in the schema.
        about: one sentence.
        fields: by path, in the order of the table.
        command: that prints it.
        request: or answer that carries it.
        is_passed_on: what a newer marketplace adds is printed, too.
    """

    name: str
    about: str
    fields: Mapping[str, Field]
    command: str = ""
    request: str = ""
    is_passed_on: bool = False

    @property
    def schema(self) -> str:
        """Its ``schema``."""
        return f"skep.dev/{self.name}/1"


@dataclass(frozen=True, slots=True)
class Table:
    """All of them, by name."""

    documents: Mapping[str, Described]
    parts: Mapping[str, Described]

    def problems(self, document: object) -> list[str]:
        """What a document has that the table does not say, or has otherwise, or lacks."""
        if not isinstance(document, dict):
            return ["it is not an object"]
        schema = document.get("schema")
        found = next((one for one in self.documents.values() if one.schema == schema), None)
        if found is None:
            return [f"the schema {schema!r} is not in the table"]
        rest = {name: value for name, value in document.items() if name != "schema"}
        return [f"{schema}: {problem}" for problem in self._wrong(found, rest, "")]

    def _wrong(self, described: Described, value: Mapping[str, Any], where: str) -> Iterator[str]:
        seen: set[str] = set()
        for path, shown, inner in _members(value, "", where, described.fields):
            seen.add(path)
            field = described.fields.get(path)
            if field is None:
                if not _is_on_the_way(path, described.fields) and not described.is_passed_on:
                    yield f"{shown} is not documented"
                continue
            parts = [self.parts[name] for name in field.types if name in self.parts]
            if isinstance(inner, dict) and parts:
                yield from self._wrong(parts[0], inner, shown)
            elif not _is_of(inner, field.types):
                yield f"{shown}: expected {' or '.join(field.types)}, got {inner!r}"
        for path, field in described.fields.items():
            if field.is_optional or path in seen or "[" in path or "*" in path:
                continue
            if path.rpartition(".")[0] in {"", *seen}:
                yield f"{where}.{path} is missing" if where else f"{path} is missing"


def _is_of(value: object, types: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types or ELSEWHERE in types
    return ELSEWHERE in types or any(
        isinstance(value, PLAIN_TYPES[name]) for name in types if name in PLAIN_TYPES
    )


def _is_on_the_way(path: str, fields: Mapping[str, Field]) -> bool:
    return any(known.startswith((f"{path}.", f"{path}[]")) for known in fields)


def _members(
    value: object, path: str, shown: str, fields: Mapping[str, Field]
) -> Iterator[tuple[str, str, Any]]:
    """Path in the table, path in the document, and value, of everything below ``value``."""
    field = fields.get(path)
    if field is not None and not {"object", "list"} & {*field.types}:
        return  # described elsewhere, or a part
    if isinstance(value, dict):
        has_data_names = f"{path}.*" in {known[: len(path) + 2] for known in fields}
        for name, inner in value.items():
            step = f"{path}.*" if has_data_names else f"{path}.{name}" if path else name
            below = f"{shown}.{name}" if shown else name
            yield step, below, inner
            yield from _members(inner, step, below, fields)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            step, below = f"{path}[]", f"{shown}[{number}]"
            yield step, below, inner
            yield from _members(inner, step, below, fields)


def read_table() -> Table:
    """The table, checked.

    Raises:
        ValueError: a field has a type that nothing describes.
    """
    with TABLE.open("rb") as file:
        read = tomllib.load(file)
    parts = {name: _described(name, entry, read["part"]) for name, entry in read["part"].items()}
    documents = {
        name: _described(name, entry, read["part"]) for name, entry in read["document"].items()
    }
    for described in (*parts.values(), *documents.values()):
        for field in described.fields.values():
            for name in field.types:
                if name not in {*PLAIN_TYPES, *parts, ELSEWHERE}:
                    raise ValueError(f"{described.name}: {field.path}: unknown type {name}")
    return Table(documents, parts)


def _described(name: str, entry: Mapping[str, Any], parts: Mapping[str, Any]) -> Described:
    fields: dict[str, Field] = {}
    if "includes" in entry:
        fields |= _described("", parts[entry["includes"]], parts).fields
    for path, value in _paths(entry["fields"], ""):
        is_optional = value[0] == "?"
        types, meaning = value[1:] if is_optional else value
        fields[path] = Field(path, tuple(types.split(" or ")), meaning, is_optional)
    return Described(
        name,
        entry["about"],
        fields,
        entry.get("command", ""),
        entry.get("request", ""),
        entry.get("passed_on", False),
    )


def _paths(table: Mapping[str, Any], before: str) -> Iterator[tuple[str, list[str]]]:
    for name, value in table.items():
        path = f"{before}.{name}" if before else name
        if isinstance(value, list):
            yield path, value
        else:
            yield from _paths(value, path)
