"""Two documents compared, difference by difference."""

from collections.abc import Iterator

from skep.packages.names import one_line

_MOST = 50  # differences told; one is enough to refuse


def differences(packaged: object, derived: object) -> tuple[str, ...]:
    """Every place where what was packaged is not what was derived, at most 50.

    Numbers, truth values and texts of equal look differ here: ``1``, ``true`` and ``1.0`` are
    equal to Python, but not to everybody who reads the label.

    >>> differences({"a": [1, 2]}, {"a": [1, True], "b": None})
    ('a[1]: the package says 2, the bytecode true', 'b: the package does not say it')
    """
    found: list[str] = []
    for problem in _compare("", packaged, derived):
        found.append(problem)
        if len(found) == _MOST:
            break
    return tuple(found)


def _compare(place: str, packaged: object, derived: object) -> Iterator[str]:
    if isinstance(packaged, dict) and isinstance(derived, dict):
        for key in sorted(packaged.keys() | derived.keys()):
            inner = f"{place}.{one_line(key, 60)}" if place else one_line(key, 60)
            if key not in packaged:
                yield f"{inner}: the package does not say it"
            elif key not in derived:
                yield f"{inner}: the package says it, the bytecode does not"
            else:
                yield from _compare(inner, packaged[key], derived[key])
    elif isinstance(packaged, list) and isinstance(derived, list):
        if len(packaged) != len(derived):
            yield f"{place}: the package lists {len(packaged)}, the bytecode {len(derived)}"
            return
        for index, (left, right) in enumerate(zip(packaged, derived, strict=True)):
            yield from _compare(f"{place}[{index}]", left, right)
    elif type(packaged) is not type(derived) or packaged != derived:
        yield f"{place}: the package says {_shown(packaged)}, the bytecode {_shown(derived)}"


def _shown(value: object) -> str:
    match value:
        case dict() | list():
            return "a list" if isinstance(value, list) else "an object"
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case _:
            return one_line(repr(value), 80)
