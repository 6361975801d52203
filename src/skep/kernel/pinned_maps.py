"""Maps that an object wants pinned by name: taken from our pin root if they are there.

An object says no more than "by name" (``LIBBPF_PIN_BY_NAME``); where, is ours to say. So:

1. The name becomes one plain file name, whatever is in it: it cannot lead out of the directory
   ``by-name`` of our pin root, nor to pins of ours that are elsewhere in it.
2. What is pinned there must be a map, reached without symbolic links; see
   :mod:`skep.kernel.pins`.
3. It must be the map the object describes: type, sizes, entries, flags. Programs are verified
   against the sizes in the kernel, so that is no danger to it, but one program would read what
   another meant as something else.
4. A map that is meant to be constant is never shared: whoever made it first would have chosen the
   values.

Source: ``bpf_object__reuse_map`` and ``map_is_reuse_compat`` in tools/lib/bpf/libbpf.c of
Linux 6.18.
"""

from contextlib import suppress
from types import TracebackType
from typing import Self

from skep.bytecode.linking.plan import MapPlan
from skep.errors import SkepError
from skep.kernel.attributes import MAP_TYPES
from skep.kernel.descriptors import Descriptor
from skep.kernel.errors import MalformedPlan, PinExists, PinMissing
from skep.kernel.maps import LoadedMap, create_map, map_type_name
from skep.kernel.pins import PinRoot, pin_name
from skep.kernel.probes import possible_cpus

DIRECTORY = "by-name"
_READ_ONLY = 1 << 7  # BPF_F_RDONLY_PROG
_PERF_EVENT_ARRAY = MAP_TYPES["PERF_EVENT_ARRAY"]


class PinnedMapDiffers(PinExists):
    """The map pinned under this name is not the one the object describes."""


class PinnedMaps:
    """Makes the maps of one plan, for :func:`skep.kernel.loading.execute`.

    As a context: if what is done in it fails, pins that were made in it go again; those that were
    there before stay.

    Args:
        pins: where; not closed by this.
    """

    def __init__(self, pins: PinRoot) -> None:
        self._pins = pins
        self._made: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            for name in reversed(self._made):
                with suppress(SkepError):
                    self._pins.remove(DIRECTORY, name)
        self._made.clear()

    def __call__(
        self, plan: MapPlan, *, types: Descriptor | None = None, entries_follow: bool = False
    ) -> LoadedMap:
        """The pinned map of that name, or a new one, pinned if its plan asks for it.

        Raises:
            PinnedMapDiffers: another map has the name.
            PinExists: something else has it.
            MalformedPlan: the map is constant and to be shared.
            SkepError: as :func:`skep.kernel.maps.create_map`.
        """
        if not plan.pinned_by_name:
            return create_map(plan, types=types, entries_follow=entries_follow)
        if plan.frozen or plan.flags & _READ_ONLY:  # (4)
            raise MalformedPlan(f"map {plan.name!r} is constant and asks to be pinned by name")
        name = pin_name(plan.name)  # (1)
        found = self._open(name, plan)
        if found is not None:
            return found
        made = create_map(plan, types=types, entries_follow=entries_follow)
        try:
            self._pins.pin(made, DIRECTORY, name)
        except PinExists:
            # Somebody was faster; then theirs it is.
            made.close()
            found = self._open(name, plan)
            if found is None:
                raise
            return found
        except BaseException:
            made.close()
            raise
        self._made.append(name)
        return made

    def _open(self, name: str, plan: MapPlan) -> LoadedMap | None:
        try:
            found = self._pins.open_map(DIRECTORY, name)  # (2)
        except PinMissing:
            return None
        there, wanted = _found(found), _wanted(plan)
        if there == wanted:
            return found
        found.close()
        differences = "; ".join(  # (3)
            f"{what} {has}, the object wants {wants}"
            for (what, has), (_, wants) in zip(there, wanted, strict=True)
            if has != wants
        )
        raise PinnedMapDiffers(
            f"the map pinned as {plan.name!r} is another one: {differences}",
            hint="end what uses it and remove its pin, or rename the map in the source",
        )


_Shape = tuple[tuple[str, object], ...]


def _found(found: LoadedMap) -> _Shape:
    return (
        ("type", map_type_name(found.map_type)),
        ("key bytes", found.key_size),
        ("value bytes", found.value_size),
        ("entries", found.max_entries),
        ("flags", f"{found.flags:#x}"),
    )


def _wanted(plan: MapPlan) -> _Shape:
    entries = plan.max_entries
    if plan.map_type == _PERF_EVENT_ARRAY and not entries:
        entries = possible_cpus()
    return (
        ("type", map_type_name(plan.map_type)),
        ("key bytes", plan.key_size),
        ("value bytes", plan.value_size),
        ("entries", entries),
        ("flags", f"{plan.flags:#x}"),
    )
