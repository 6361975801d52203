"""Writing TOML: documents of our own that were read, changed and are written again.

The standard library reads TOML and does not write it. Comments are lost, every key is kept.

Source: https://toml.io/en/v1.0.0
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(document: Mapping[str, object]) -> str:
    """A document as text that :mod:`tomllib` reads back as the same values.

    >>> print(toml_text({"version": 1, "a": {"b c": ["x", 2]}}), end="")
    version = 1
    <BLANKLINE>
    [a]
    "b c" = ["x", 2]
    """
    return "\n".join(_lines(document, ())) + "\n"


def _lines(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    for key, value in table.items():
        if key not in inner:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in inner.items():
        here = (*path, key)
        # A table of nothing but tables needs no heading of its own.
        if not value or any(not isinstance(one, dict) for one in value.values()):
            yield ""
            yield f"[{'.'.join(map(_key, here))}]"
        yield from _lines(value, here)


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _string(text)


def _string(text: str) -> str:
    # JSON's escapes are TOML's, except that TOML wants DEL escaped, too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case int():
            return str(value)
        case float():
            return repr(value)  # inf and nan are TOML's words as well
        case datetime() | date() | time():
            return value.isoformat()
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            pairs = (f"{_key(key)} = {_value(inner)}" for key, inner in value.items())
            return "{" + ", ".join(pairs) + "}"
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")
