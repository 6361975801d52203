"""The harness proves itself: take one row out of the classification, and be caught.

Programs are run once; what was seen of them is kept. Then each row is taken out in a child, which
analyses anew the programs that use the row: the row is *caught* if a label now lacks something that
was seen. A row that is not caught is listed with the reason, which is found out, not claimed:
nothing was seen to depend on it, or what is lost is shown by another row as well.
"""

import gc
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

from skep.bytecode.isa import call_arguments
from skep.bytecode.objectfile.reading import read_object
from tests.soundness.generating import Program
from tests.soundness.judging import Outcome

_ANALYSIS = "skep.bytecode.analysis"
_MOST_PROGRAMS = 60
Needs = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Row:
    """A row that can be taken out.

    Attributes:
        sort: which table.
        name: for people.
        uses: whether a program, by its outcome, exercises it.
        remove: takes it out; the modules of the analysis are loaded anew around it.
        claims: whether it says anything that could be lost.
        subject: the call it is about, ``helper:1``; empty for others.
    """

    sort: str
    name: str
    uses: Callable[[Outcome], bool]
    remove: Callable[[], None]
    claims: bool = True
    subject: str = ""


@dataclass(frozen=True)
class Proof:
    """What came of taking out a row.

    Attributes:
        caught_by: the program whose label no longer holds what was seen.
        together: it was caught only with the other rows about the same call out as well.
    """

    sort: str
    name: str
    caught_by: str = ""
    programs: int = 0
    reason: str = ""
    together: bool = False


def _inner(proxy: Mapping[Any, Any]) -> dict[Any, Any]:
    """The dictionary behind a read-only view."""
    (found,) = (each for each in gc.get_referents(proxy) if isinstance(each, dict))
    return found


def _tagged(tag: str) -> Callable[[Outcome], bool]:
    return lambda outcome: tag in outcome.tags


def _type_of(outcome: Outcome) -> str:
    return outcome.kind.partition("/")[0]


def _of_kind(*names: str) -> Callable[[Outcome], bool]:
    return lambda outcome: _type_of(outcome) in names


_MODEST = frozenset(
    {"number", "size", "context", "map", "unused", "callback", "callback_context", "special",
     "iterator", "dynptr", "constant_string", "kernel_object", "dynptr_new"}
)  # fmt: skip
"""Roles that claim no reading or writing of their own."""


def argument_rows() -> Iterator[Row]:
    """Each argument of each call, and each result."""
    tables = (
        (call_arguments.HELPER_ARGUMENTS, "helper:"),
        (call_arguments.KERNEL_FUNCTION_ARGUMENTS, "kfunc:"),
    )
    for table, prefix in tables:
        for key, facts in table.items():
            for index, role in enumerate(facts.arguments):
                yield Row(
                    "argument",
                    f"{prefix}{key} r{index + 1} {role}",
                    _tagged(f"{prefix}{key}"),
                    _replacer(table, key, index),
                    claims=role not in _MODEST,
                    subject=f"{prefix}{key}",
                )
            if facts.result not in {"none", "number"}:
                yield Row(
                    "result",
                    f"{prefix}{key} r0 {facts.result}",
                    _tagged(f"{prefix}{key}"),
                    _replacer(table, key, None),
                    claims=facts.result != "map",
                    subject=f"{prefix}{key}",
                )


def _replacer(table: Mapping[Any, Any], key: object, index: int | None) -> Callable[[], None]:
    def remove() -> None:
        facts = table[key]
        if index is None:
            changed = facts._replace(result="number")
        else:
            arguments = list(facts.arguments)
            arguments[index] = "number"
            changed = facts._replace(arguments=tuple(arguments))
        _inner(table)[key] = changed

    return remove


def permission_rows(taxonomy: ModuleType) -> Iterator[Row]:
    """Each helper, kernel function and type that a permission lists."""
    for name, facts in taxonomy.PERMISSIONS.items():
        for number in facts.helpers:
            yield _listed(name, "helpers", number, _tagged(f"helper:{number}"))
        for pattern in facts.kernel_functions:
            yield _listed(name, "kernel_functions", pattern, _matching(pattern))
        for kind in facts.program_types:
            yield _listed(name, "program_types", kind, _of_kind(kind))


def _matching(pattern: str) -> Callable[[Outcome], bool]:
    return lambda outcome: any(
        fnmatchcase(tag[6:], pattern) for tag in outcome.tags if tag.startswith("kfunc:")
    )


def _listed(permission: str, attribute: str, entry: object, uses: Callable[[Outcome], bool]) -> Row:
    def remove() -> None:
        taxonomy = importlib.import_module(f"{_ANALYSIS}.taxonomy")
        facts = taxonomy.PERMISSIONS[permission]
        rest = tuple(each for each in getattr(facts, attribute) if each != entry)
        _inner(taxonomy.PERMISSIONS)[permission] = facts._replace(**{attribute: rest})

    subject = {"helpers": f"helper:{entry}", "kernel_functions": f"kfunc:{entry}"}
    name = f"{permission} {attribute} {entry}"
    return Row("permission", name, uses, remove, subject=subject.get(attribute, ""))


def context_rows(contexts: ModuleType) -> Iterator[Row]:
    """Each field of a context whose change is a permission, or which is a pointer."""
    seen = set()
    for kind, layout in contexts._BY_TYPE.items():
        if layout.name in seen:
            continue
        seen.add(layout.name)
        kinds = [name for name, each in contexts._BY_TYPE.items() if each is layout]
        for field in layout.writable:
            yield _without(kind, "writable", field, field.name, kinds)
        for attribute in ("packet_fields", "pointers"):
            for offset, name in getattr(layout, attribute).items():
                yield _without(kind, attribute, offset, str(name), kinds)


def _without(kind: str, attribute: str, entry: Any, name: str, kinds: Sequence[str]) -> Row:
    def remove() -> None:
        contexts = importlib.import_module(f"{_ANALYSIS}.contexts")
        layout = contexts._BY_TYPE[kind]
        if attribute == "writable":
            rest: object = tuple(e for e in layout.writable if e.name != name)
        else:
            rest = {k: v for k, v in getattr(layout, attribute).items() if k != entry}
        changed = replace(layout, **{attribute: rest})
        table = _inner(contexts._BY_TYPE)
        for each in kinds:
            table[each] = changed

    def uses(outcome: Outcome) -> bool:
        if _type_of(outcome) not in kinds:
            return False
        if attribute == "packet_fields":
            return True
        words = (f"writes:{name}", "snippet:core_context", "flow_keys", "snippet:typed_skb")
        return any(tag.startswith(words) for tag in outcome.tags)

    return Row("context", f"{kind} {attribute} {name}", uses, remove)


def verdict_rows() -> Iterator[Row]:
    """Each row of the verdict tables that shows a permission."""
    try:
        verdicts = importlib.import_module("skep.hooks.verdicts")
    except ModuleNotFoundError:
        return
    for number, table in enumerate(verdicts.VERDICT_TABLES):
        for index, verdict in enumerate(table.verdicts):
            if verdict.permissions:
                attach = f" ({', '.join(table.attach_types)})" if table.attach_types else ""
                yield Row(
                    "verdict",
                    f"{table.program_type}{attach} {verdict.name} {verdict.which}",
                    _returning(table.program_type, verdict),
                    _silenced(number, index),
                )


def _returning(kind: str, verdict: Any) -> Callable[[Outcome], bool]:
    covers = getattr(verdict.which, "covers", None)

    def uses(outcome: Outcome) -> bool:
        if _type_of(outcome) != kind:
            return False
        if any(each.startswith(("error", "bound")) for each in outcome.seen):
            return True  # the exit value itself is not seen
        values = {int(each.split()[1]) for each in outcome.seen if each.startswith("verdict ")}
        return bool(values) and (covers is None or any(map(covers, values)))

    return uses


def _silenced(number: int, index: int) -> Callable[[], None]:
    def remove() -> None:
        verdicts = importlib.import_module("skep.hooks.verdicts")
        table = verdicts.VERDICT_TABLES[number]
        rows = list(table.verdicts)
        rows[index] = replace(rows[index], permissions=())
        object.__setattr__(table, "verdicts", tuple(rows))

    return remove


def all_rows() -> list[Row]:
    """Every row of every table."""
    taxonomy = importlib.import_module(f"{_ANALYSIS}.taxonomy")
    contexts = importlib.import_module(f"{_ANALYSIS}.contexts")
    return [
        *argument_rows(),
        *permission_rows(taxonomy),
        *context_rows(contexts),
        *verdict_rows(),
    ]


def companions(row: Row, rows: Sequence[Row]) -> list[Row]:
    """Other rows that claim something about the same call, or show the same permission."""
    if row.sort == "permission":
        permission = row.name.split()[0]
        return [
            each
            for each in rows
            if each is not row
            and (
                (each.sort == "permission" and each.name.split()[0] == permission)
                or (each.subject and each.subject == row.subject and each.claims)
            )
        ]
    sort, _, name = row.subject.partition(":")
    if not name:
        return []

    def is_same(other: Row) -> bool:
        kind, _, pattern = other.subject.partition(":")
        return kind == sort and (fnmatchcase(name, pattern) or fnmatchcase(pattern, name))

    return [
        each for each in rows if each is not row and each.subject and each.claims and is_same(each)
    ]


class Prover:
    """Takes rows out, one after another.

    Args:
        outcomes: of programs that were accepted and run, without violations.
        make: the program of an outcome.
    """

    def __init__(self, outcomes: Sequence[Outcome], make: Callable[[str], Program]) -> None:
        self._outcomes = [each for each in outcomes if each.needs and not each.violations]
        self._make = make

    def prove(self, row: Row, others: Sequence[Row], why_not: Callable[[Row], str]) -> Proof:
        """Whether a row is caught.

        Args:
            others: rows about the same call, which may show the same.
            why_not: why no program exercises the row.
        """
        if not row.claims:
            return Proof(row.sort, row.name, reason="claims no effect")
        using = [each for each in self._outcomes if row.uses(each)]
        if not using:
            return Proof(row.sort, row.name, reason=why_not(row))
        using.sort(key=lambda each: (len(each.needs), len(each.tags)))
        chosen = using[:: max(1, len(using) // _MOST_PROGRAMS)][:_MOST_PROGRAMS]
        caught, lost = self._caught([row], chosen)
        if caught:
            return Proof(row.sort, row.name, caught, len(using))
        if others:
            caught, lost_too = self._caught([row, *others], chosen)
            if caught:
                return Proof(row.sort, row.name, caught, len(using), together=True)
            lost = lost or lost_too
        if lost:
            reason = f"a label loses {', '.join(lost)}, and nothing seen needed it"
        else:
            reason = "no label loses anything: without the row as much is assumed"
        return Proof(row.sort, row.name, "", len(using), reason)

    def _caught(self, rows: Sequence[Row], using: Sequence[Outcome]) -> tuple[str, list[str]]:
        """The first program whose label now lacks something; in a child of its own."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            try:
                document: object = self._without(rows, using)
            except BaseException as error:  # noqa: BLE001 - nothing may leave a forked child
                document = [f"!{error!r}", []]
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(json.dumps(document).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer, lost = json.loads(pipe.read() or b'["!died", []]')
        os.waitpid(child, 0)
        if answer.startswith("!"):
            raise RuntimeError(f"{rows[0].name}: {answer}")
        return str(answer), list(lost)

    def _without(self, rows: Sequence[Row], using: Sequence[Outcome]) -> tuple[str, list[str]]:
        for name in [each for each in sys.modules if each.startswith(_ANALYSIS)]:
            del sys.modules[name]
        for row in rows:
            row.remove()
        analysing = importlib.import_module(f"{_ANALYSIS}.analysing")
        lost: set[str] = set()
        for each in using:
            job = f"{each.kind}:{each.seed}"
            report = analysing.analyse(read_object(self._make(job).data))
            label = {permission.id for permission in report.permissions}
            if any(not label & set(need) for need in each.needs):
                return job, []
            lost |= set(each.label) - label
        return "", sorted(lost)
