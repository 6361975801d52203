"""A whole load plan in the kernel: maps first, then programs, everything or nothing.

A node loads one program at a time into maps that are kept; tests of the kernel want an object.
"""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from skep.bytecode.linking.plan import LoadPlan
from skep.kernel.btf import load_types_for
from skep.kernel.descriptors import FileDescriptor, Owner
from skep.kernel.errors import MalformedPlan
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import LoadedMap, create_map


@dataclass(frozen=True, slots=True)
class LoadedObject:
    """What :func:`execute` made; the caller closes it.

    Attributes:
        maps: in the order of the plan.
        programs: in the order of the plan.
    """

    maps: tuple[LoadedMap, ...]
    programs: tuple[LoadedProgram, ...]

    def close(self) -> None:
        """Close all descriptors."""
        for owner in (*self.programs, *self.maps):
            owner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def execute(plan: LoadPlan) -> LoadedObject:
    """Create the maps, then load the programs.

    Raises:
        SkepError: as :func:`create_map` and :func:`load_program`; nothing stays behind.
    """
    with ExitStack() as made:
        # Programs and maps keep the types they were made with; our descriptor is for making only.
        with ExitStack() as making:
            types = _types(plan)
            if types is not None:
                making.enter_context(types)
            maps = tuple(
                made.enter_context(create_map(each, types=types, entries_follow=True))
                for each in plan.maps
            )
            for owner, each in zip(maps, plan.maps, strict=True):
                for index, inner in each.map_entries:
                    if not 0 <= inner < len(maps):
                        raise MalformedPlan(f"map {each.name!r} begins with map {inner}")
                    _write_descriptor(owner, index, maps[inner])
            programs = tuple(
                made.enter_context(load_program(each, maps, types=types)) for each in plan.programs
            )
        _fill_program_arrays(plan, maps, programs)
        made.pop_all()
    return LoadedObject(maps, programs)


def _types(plan: LoadPlan) -> FileDescriptor | None:
    """The object's types in the kernel; ``None`` if it refuses them and nothing needs them."""
    if plan.btf is None:
        return None
    needed = any(each.needs_types for each in plan.maps)
    needed = needed or any(each.needs_types for each in plan.programs)
    return load_types_for(plan.btf, needed=needed)


def _fill_program_arrays(
    plan: LoadPlan, maps: Sequence[LoadedMap], programs: Sequence[LoadedProgram]
) -> None:
    by_name = {each.name: made for each, made in zip(plan.programs, programs, strict=True)}
    for owner, each in zip(maps, plan.maps, strict=True):
        for index, name in each.program_entries:
            if name not in by_name:
                raise MalformedPlan(f"map {each.name!r} begins with program {name!r}, not loaded")
            _write_descriptor(owner, index, by_name[name])


def _write_descriptor(owner: LoadedMap, index: int, made: Owner) -> None:
    owner.update(
        index.to_bytes(owner.key_size, sys.byteorder),
        made.descriptor.number.to_bytes(4, sys.byteorder),
    )
