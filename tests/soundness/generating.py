"""Random programs: a type and a seed give an object, the same one every time."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skep.bytecode.btf.kernel_types import KernelTypes
from tests.soundness.assembling import MapShape
from tests.soundness.drafting import Draft
from tests.soundness.kinds import KINDS, ProgramKind
from tests.soundness.snippets import acting, calls, core, flow, kernel, reading, tricks
from tests.soundness.snippets.table import SNIPPETS, Need, Snippet
from tests.soundness.verdicts import write_mask, write_verdict
from tests.soundness.worlds import Template, draw_template

ROOMS = (
    acting,
    calls,
    core,
    flow,
    kernel,
    reading,
    tricks,
)  # they enter what they have into the table

HasHelper = Callable[[ProgramKind, int], bool]
HasKfunc = Callable[[ProgramKind, str], bool]


@dataclass(frozen=True)
class Program:
    """An object with one program.

    Attributes:
        kind: its type.
        seed: of this program.
        data: the ELF file.
        tags: what is in it.
        maps: shapes of its maps.
        settings: values for constants of ``.rodata``.
        template: what it is run on first.
    """

    kind: ProgramKind
    seed: str
    data: bytes
    tags: frozenset[str]
    maps: dict[str, MapShape]
    settings: dict[str, bytes]
    template: Template


def _ended(draft: Draft, seed: str) -> Program:
    write_verdict(draft)
    return finished(draft, seed)


def finished(draft: Draft, seed: str) -> Program:
    """The object of a draft whose verdict is written."""
    draft.finish()
    source = draft.source
    return Program(
        draft.kind,
        seed,
        source.build(),
        frozenset(draft.tags),
        dict(source.maps),
        dict(draft.settings),
        draft.template,
    )


class Generator:
    """Draws programs of which most are accepted by the kernel at hand."""

    def __init__(self, types: KernelTypes, has_helper: HasHelper, has_kfunc: HasKfunc) -> None:
        self._types = types
        self._fitting: dict[str, list[Snippet]] = {}
        self._has_helper = has_helper
        self._has_kfunc = has_kfunc

    def _begun(self, kind: ProgramKind, seed: str) -> Draft:
        rng = random.Random(f"{kind.name}/{seed}")  # noqa: S311 - repeatable on purpose
        template = draw_template(kind, rng)
        draft = Draft(kind, rng, template, self._types, self._has_helper, self._has_kfunc)
        draft.begin()
        return draft

    def _has(self, kind: ProgramKind, need: Need) -> bool:
        if isinstance(need, int):
            return self._has_helper(kind, need)
        if isinstance(need, str):
            return self._has_kfunc(kind, need)
        return any(self._has(kind, each) for each in need)

    def fitting(self, kind: ProgramKind) -> list[Snippet]:
        """Snippets for programs of that kind."""
        found = self._fitting.get(kind.name)
        if found is None:
            found = self._fitting[kind.name] = [
                each
                for each in SNIPPETS.values()
                if each.fits(kind) and all(self._has(kind, need) for need in each.needs)
            ]
        return found

    def draw(self, kind: ProgramKind, seed: str) -> Program:
        """A program of a few random snippets."""
        draft = self._begun(kind, seed)
        snippets = self.fitting(kind)
        weights = [each.weight for each in snippets]
        for _ in range(draft.rng.choice((1, 1, 2, 2, 3, 4, 6))):
            (chosen,) = draft.rng.choices(snippets, weights)
            _write(draft, chosen)
            if draft.rng.random() < 0.2:
                draft.record(8)
        return _ended(draft, seed)

    def directed(self, kind: ProgramKind, names: Sequence[str], seed: str, end: str) -> Program:
        """A program of the snippets named and nothing else.

        Args:
            end: what follows: ``record`` puts the result into a map, ``verdict`` returns it,
                ``quiet`` leaves it.
        """
        draft = self._begun(kind, seed)
        draft.tags.add(f"end:{end}")
        for name in names:
            draft.tags.add(f"snippet:{name}")
            SNIPPETS[name].write(draft)
        if end == "record":
            draft.record(8)
        if end == "verdict":
            draft.code.copy(0, 8)
            write_mask(draft)
        else:
            draft.code.mov(0, kind.passing)
        draft.code.exit()
        return finished(draft, seed)


def _write(draft: Draft, chosen: Snippet) -> None:
    """A snippet, sometimes under a condition."""
    draft.tags.add(f"snippet:{chosen.name}")
    if draft.rng.random() < 0.25:
        after = draft.code.fresh()
        wanted = draft.rng.choice((draft.number(), *draft.template.numbers))
        condition = draft.rng.choice(("==", "!=", ">", "<"))
        draft.code.if_number(condition, draft.rng.choice((8, 9)), wanted, after)
        chosen.write(draft)
        draft.code.label(after)
        if not draft.kind.packet:
            return
        draft.load_packet()  # one of the two paths may have moved it
        return
    chosen.write(draft)


__all__ = ["KINDS", "ROOMS", "Generator", "Program"]
