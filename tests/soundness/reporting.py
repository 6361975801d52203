"""Counts of what was run, and violations by their sort."""

from collections import Counter
from dataclasses import dataclass, field

from tests.soundness.judging import Outcome, Violation


@dataclass
class Tally:
    """Everything about a run."""

    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    permissions: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    lost: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.states[outcome.kind, outcome.state] += 1
        if outcome.state == "accepted":
            self.tags.update(outcome.tags)
            self.permissions.update(outcome.label)
            self.met.update(outcome.obligations)
        elif outcome.state == "lost":
            self.lost.append(outcome)
        else:
            self.reasons[outcome.reason[:160]] += 1
        self.violations += outcome.violations

    def line(self, kind: str) -> str:
        accepted = self.states[kind, "accepted"]
        tried = sum(count for (name, _), count in self.states.items() if name == kind)
        bad = len({each.seed for each in self.violations if each.kind == kind})
        return f"{accepted} of {tried} accepted, {bad} with violations"

    def sorts(self) -> dict[tuple[str, str], list[Violation]]:
        """Violations by what is missing and what was seen (numbers left out)."""
        found: dict[tuple[str, str], list[Violation]] = {}
        for each in self.violations:
            because = "".join("#" if c.isdigit() else c for c in each.because)
            found.setdefault((" or ".join(each.missing), because), []).append(each)
        return dict(sorted(found.items(), key=lambda item: -len(item[1])))

    def by_snippet(self) -> str:
        """Of directed programs: what is missing, by the one snippet in them."""
        found: dict[tuple[str, str, str], list[Violation]] = {}
        for sort, violations in self.sorts().items():
            for each in violations:
                found.setdefault((each.seed.partition("@")[0], *sort), []).append(each)
        lines = []
        for (snippet, missing, because), several in sorted(found.items()):
            kinds = sorted({one.kind for one in several})
            first = min(several, key=lambda one: len(one.listing))
            lines.append(
                f"{snippet}: {missing} not shown ({because}), {len(several)} programs of "
                f"{', '.join(kinds)}; {first.kind}:{first.seed}"
            )
        return "\n".join(lines)

    def document(self, seconds: float) -> dict[str, object]:
        def named(prefix: str) -> dict[str, int]:
            chosen = {
                tag.removeprefix(prefix): count
                for tag, count in self.tags.items()
                if tag.startswith(prefix)
            }
            return dict(sorted(chosen.items()))

        kinds = sorted({name for name, _ in self.states})
        return {
            "seconds": round(seconds, 1),
            "types": {
                name: {
                    state: count for (of, state), count in self.states.items() if of == name
                }
                for name in kinds
            },
            "helpers": named("helper:"),
            "kernel_functions": named("kfunc:"),
            "core_kinds": named("core:"),
            "endings": named("ends:"),
            "snippets": named("snippet:"),
            "shown": dict(self.permissions.most_common()),
            "needed": dict(self.met.most_common()),
            "lost": [f"{each.kind}:{each.seed}" for each in self.lost],
            "refusals": dict(self.reasons.most_common(40)),
            "violations": [
                {
                    "missing": missing, "seen": because, "programs": len(each),
                    "first": f"{each[0].kind}:{each[0].seed}",
                }
                for (missing, because), each in self.sorts().items()
            ],
        }  # fmt: skip

    def text(self, seconds: float, show: int) -> str:
        accepted = sum(n for (_, state), n in self.states.items() if state == "accepted")
        tried = sum(self.states.values())
        bad = len({(each.kind, each.seed) for each in self.violations})
        head = f"{accepted} programs accepted of {tried} in {seconds:.0f} s"
        lines = [f"{head}; {bad} with violations, {len(self.lost)} lost"]
        lines += [f"  refused {count}: {why}" for why, count in self.reasons.most_common(25)]
        for (missing, because), found in self.sorts().items():
            lines.append(f"\n{len(found)} x {missing} not shown: {because}")
            for each in sorted(found, key=lambda v: len(v.listing))[:show]:
                lines.append(f"  {each.kind}:{each.seed} label: {', '.join(each.label) or '-'}")
                lines.append(f"  {each.because}; {', '.join(each.tags)}")
                lines += [f"    {line}" for line in each.listing.splitlines()]
        return "\n".join(lines)
