"""What the proof of the harness says: rows caught, and why the others are not."""

import json
from collections import Counter
from collections.abc import Collection, Sequence

from tests.soundness.kinds import KINDS, NOT_RUN
from tests.soundness.mutating import Proof, Row
from tests.soundness.snippets.calls import NEED_PAIRS
from tests.soundness.snippets.calls import NOT_RUN as CALLS_NOT_RUN


def reason_unused(row: Row, tried: Collection[str], ran: Collection[str]) -> str:
    """Why no program that was run exercises a row."""
    if row.sort in {"argument", "result"}:
        sort, _, rest = row.name.partition(":")
        name = rest.split()[0]
        key: int | str = int(name) if sort == "helper" else name
        if key in CALLS_NOT_RUN:
            return f"not run: {CALLS_NOT_RUN[key]}"
        if f"call:{name}" not in tried:
            return f"no type that is run has it here, or it is {NEED_PAIRS}"
        if f"{sort}:{name}" not in ran:
            return "the kernel refused all programs that were tried"
        return "nothing that can be seen came of it"
    if row.sort in {"context", "verdict"}:
        kind = row.name.split()[0]
        if kind not in KINDS:
            return f"not run: {NOT_RUN.get(kind, 'the type is not known here')}"
        return "nothing that can be seen came of it"
    return "no program that was run has it"


def describe(proof: Proof) -> str:
    """One line."""
    if proof.caught_by:
        how = " with the other rows about it" if proof.together else ""
        return f"caught{how} {proof.sort} {proof.name}: by {proof.caught_by}"
    return f"{'-' if not proof.programs else 'MISSED'} {proof.sort} {proof.name}: {proof.reason}"


def summary(proofs: Sequence[Proof], *, as_json: bool) -> str:
    """All rows that are not caught, by reason, and how many are."""
    caught = Counter(each.sort for each in proofs if each.caught_by)
    together = Counter(each.sort for each in proofs if each.together)
    total = Counter(each.sort for each in proofs)
    by_reason: dict[str, list[str]] = {}
    for each in proofs:
        if not each.caught_by:
            by_reason.setdefault(f"{each.sort}: {each.reason}", []).append(each.name)
    if as_json:
        document = {
            "rows": dict(total),
            "caught": dict(caught),
            "of_these_only_with_other_rows": dict(together),
            "not_caught": by_reason,
        }
        return json.dumps(document, indent=1)
    lines = [
        f"{sort}: {caught[sort]} of {count} rows caught, {together[sort]} of them only together "
        "with other rows about the same"
        for sort, count in total.items()
    ]
    for reason, names in sorted(by_reason.items()):
        lines.append(f"{reason} ({len(names)}):")
        lines += [f"  {name}" for name in names]
    return "\n".join(lines)
