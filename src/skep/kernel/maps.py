"""Maps: made from a plan, read and written as bytes.

Keys and values are exactly as the kernel has them. A per-CPU map has one value for each possible
CPU, each rounded up to eight bytes (``bpf_map_value_size`` in kernel/bpf/syscall.c).
"""

import ctypes
import errno
from collections.abc import Iterator

from skep.bytecode.linking.plan import MapPlan
from skep.errors import SkepError
from skep.kernel.attributes import MAP_TYPES, BpfCommand, MapCreate, MapElement, MapInfo
from skep.kernel.descriptors import FileDescriptor, Owner
from skep.kernel.errors import (
    BadMapAccess,
    KernelBusy,
    KernelRefused,
    MalformedPlan,
    NotInThisKernel,
)
from skep.kernel.information import read_info
from skep.kernel.names import shortened
from skep.kernel.probes import possible_cpus
from skep.kernel.syscall import BpfError, address, bpf, bpf_accounted, error_name, failure

_PER_CPU = frozenset(
    MAP_TYPES[name]
    for name in ("PERCPU_HASH", "PERCPU_ARRAY", "LRU_PERCPU_HASH", "PERCPU_CGROUP_STORAGE")
)
_ARRAYS = frozenset({MAP_TYPES["ARRAY"], MAP_TYPES["PERCPU_ARRAY"]})
_PERF_EVENT_ARRAY = MAP_TYPES["PERF_EVENT_ARRAY"]
_NO_PREALLOC = 1  # BPF_F_NO_PREALLOC
_HUGE = 1 << 27  # entries
_NEED_BTF = frozenset(
    MAP_TYPES[name] for name in ("SK_STORAGE", "INODE_STORAGE", "TASK_STORAGE", "CGRP_STORAGE")
)
_MAPS_OF_MAPS = frozenset({MAP_TYPES["ARRAY_OF_MAPS"], MAP_TYPES["HASH_OF_MAPS"]})
_RINGS = frozenset({MAP_TYPES["RINGBUF"], MAP_TYPES["USER_RINGBUF"]})
_TYPE_NAMES = {number: name for name, number in MAP_TYPES.items()}


def map_type_name(number: int) -> str:
    """Name of a map type without its prefix.

    >>> map_type_name(1)
    'HASH'
    """
    return _TYPE_NAMES.get(number, f"type {number}")


class LoadedMap(Owner):
    """A map in the kernel, as long as its descriptor, a pin or a program holds it.

    Attributes:
        name: as in the plan; what the kernel keeps of it if the map was opened, not made.
        map_type: ``BPF_MAP_TYPE_*``.
        key_size: bytes.
        value_size: bytes of one value (of one CPU).
        max_entries: entries, or bytes for ring buffers.
        flags: ``BPF_F_*`` of creation.
        id: the kernel's number for it.
        types_id: the kernel's number for the types it was made with; 0 if it has none.
    """

    __slots__ = (
        "flags",
        "id",
        "key_size",
        "map_type",
        "max_entries",
        "name",
        "types_id",
        "value_size",
    )

    def __init__(self, descriptor: FileDescriptor, name: str | None = None) -> None:
        super().__init__(descriptor)
        info = read_info(descriptor, MapInfo(), "a map")
        self.name = name if name is not None else info.name.decode("ascii", "replace")
        self.map_type = int(info.type)
        self.key_size = int(info.key_size)
        self.value_size = int(info.value_size)
        self.max_entries = int(info.max_entries)
        self.flags = int(info.map_flags)
        self.id = int(info.id)
        self.types_id = int(info.btf_id) if info.btf_value_type_id else 0

    @property
    def is_per_cpu(self) -> bool:
        """Whether there is a value for every possible CPU."""
        return self.map_type in _PER_CPU

    @property
    def value_bytes(self) -> int:
        """Bytes of what :meth:`lookup` returns."""
        if self.is_per_cpu:
            return self._stride * possible_cpus()
        return self.value_size

    @property
    def _stride(self) -> int:
        return -(-self.value_size // 8) * 8

    def lookup(self, key: bytes) -> bytes | None:
        """The value, ``None`` if there is none. Per-CPU maps: all values, see the module.

        Raises:
            BadMapAccess: ``key`` has the wrong size.
            SkepError: of the family of the error number.
        """
        out = ctypes.create_string_buffer(self.value_bytes)
        try:
            self._element(BpfCommand.MAP_LOOKUP_ELEM, key, out)
        except BpfError as error:
            if error.number == errno.ENOENT:
                return None
            raise failure(error, f"look up a key in map {self.name!r}") from error
        return out.raw

    def lookup_per_cpu(self, key: bytes) -> list[bytes]:
        """The values of all possible CPUs, ``value_size`` bytes each; empty if there is no key.

        A map that is not per CPU gives its one value.
        """
        value = self.lookup(key)
        if value is None:
            return []
        if not self.is_per_cpu:
            return [value]
        return [
            value[start : start + self.value_size] for start in range(0, len(value), self._stride)
        ]

    def update(self, key: bytes, value: bytes) -> None:
        """Write a value, whether the key was there or not.

        In a per-CPU map a value of ``value_size`` bytes is written for every CPU.

        Raises:
            BadMapAccess: key or value has the wrong size.
            KernelRefused: the map is full or frozen, or an array has no such index.
            SkepError: of the family of the error number.
        """
        if self.is_per_cpu and len(value) == self.value_size:
            value = value.ljust(self._stride, b"\0") * possible_cpus()
        if len(value) != self.value_bytes:
            raise BadMapAccess(
                f"expected a value of {self.value_bytes} bytes for map {self.name!r}, "
                f"got {len(value)}"
            )
        try:
            self._element(BpfCommand.MAP_UPDATE_ELEM, key, ctypes.create_string_buffer(value))
        except BpfError as error:
            if error.number == errno.E2BIG:
                raise KernelRefused(
                    f"map {self.name!r} is full (max_entries {self.max_entries}), or the index is "
                    "out of range",
                    hint="raise max_entries of the map, or delete entries",
                ) from error
            if error.number == errno.EPERM:  # privileges were needed to get the descriptor
                raise KernelRefused(f"map {self.name!r} is read-only (frozen)") from error
            raise failure(error, f"write to map {self.name!r}") from error

    def delete(self, key: bytes) -> bool:
        """Delete an entry; whether there was one.

        Raises:
            KernelRefused: entries of this map type cannot be deleted (arrays), or it is frozen.
        """
        try:
            self._element(BpfCommand.MAP_DELETE_ELEM, key, None)
        except BpfError as error:
            if error.number == errno.ENOENT:
                return False
            if error.number in {errno.EINVAL, errno.EPERM}:
                raise KernelRefused(
                    f"entries of map {self.name!r} ({map_type_name(self.map_type)}) "
                    f"cannot be deleted: {error_name(error.number)}"
                ) from error
            raise failure(error, f"delete an entry of map {self.name!r}") from error
        return True

    def keys(self) -> Iterator[bytes]:
        """All keys, each once, in the kernel's order.

        Not a snapshot: while programs insert and delete, keys that come and go may be missed. The
        kernel starts again from the first key when the current one has been deleted; so keys
        already seen are skipped and the number of steps is bounded.
        """
        if not self.key_size:
            raise BadMapAccess(
                f"map {self.name!r} ({map_type_name(self.map_type)}) has no keys to list"
            )
        seen: set[bytes] = set()
        out = ctypes.create_string_buffer(self.key_size)
        current: bytes | None = None
        for _ in range(4 * self.max_entries + 64):
            try:
                self._element(BpfCommand.MAP_GET_NEXT_KEY, current, out)
            except BpfError as error:
                if error.number == errno.ENOENT:
                    return
                raise failure(error, f"list the keys of map {self.name!r}") from error
            current = out.raw
            if current not in seen:
                seen.add(current)
                yield current

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys with their values; a key deleted meanwhile is left out."""
        for key in self.keys():
            value = self.lookup(key)
            if value is not None:
                yield key, value

    def clear(self) -> None:
        """Delete all entries; in arrays, where nothing can be deleted, write zeros."""
        zero = bytes(self.value_bytes)
        for key in list(self.keys()):
            if self.map_type in _ARRAYS:
                self.update(key, zero)
            else:
                self.delete(key)

    def freeze(self) -> None:
        """Make it read-only for user space, for good (``BPF_MAP_FREEZE``).

        A map with BPF_F_RDONLY_PROG that is frozen before a program is loaded is constant to the
        verifier.
        """
        try:
            bpf(BpfCommand.MAP_FREEZE, MapElement(map_fd=self.descriptor.number))
        except BpfError as error:
            raise failure(error, f"freeze map {self.name!r}") from error

    def _element(
        self,
        command: BpfCommand,
        key: bytes | None,
        value: "ctypes.Array[ctypes.c_char] | None",
    ) -> None:
        if key is not None and len(key) != self.key_size:
            raise BadMapAccess(
                f"expected a key of {self.key_size} bytes for map {self.name!r}, got {len(key)}"
            )
        key_buffer = ctypes.create_string_buffer(key, max(len(key), 1)) if key is not None else None
        bpf(
            command,
            MapElement(
                map_fd=self.descriptor.number,
                key=address(key_buffer) if key_buffer is not None and key else 0,
                value=address(value) if value is not None else 0,
            ),
        )

    def __repr__(self) -> str:
        return f"LoadedMap({self.name!r}, {map_type_name(self.map_type)}, id {self.id})"


def create_map(
    plan: MapPlan, *, types: FileDescriptor | None = None, entries_follow: bool = False
) -> LoadedMap:
    """Create a map, write its contents and freeze it if the plan says so.

    Nothing stays behind if a step fails.

    Args:
        types: the object's types in the kernel, see :func:`skep.kernel.btf.load_types`.
        entries_follow: the caller writes the entries that name other maps and programs.

    Raises:
        MalformedPlan: the map begins with other maps or programs, and nobody writes them.
        LacksPrivilege: not root.
        NotInThisKernel: the kernel does not know the type or a flag.
        KernelRefused: with the rule of that map type as far as known.
        KernelBusy: not enough memory; says how much it takes.
    """
    if (plan.map_entries or plan.program_entries) and not entries_follow:
        raise MalformedPlan(
            f"map {plan.name!r} starts out with other maps or programs, which do not exist yet",
            hint="execute the whole plan",
        )
    try:
        descriptor = _create(plan, types)
    except BpfError as error:
        raise _creation_failure(error, plan) from error
    try:
        loaded = LoadedMap(descriptor, plan.name)
        for key, value in plan.contents:
            loaded.update(key, value)
        if plan.frozen:
            loaded.freeze()
    except BaseException:
        descriptor.close()
        raise
    return loaded


def _create(plan: MapPlan, types: FileDescriptor | None) -> FileDescriptor:
    entries = plan.max_entries
    if plan.map_type == _PERF_EVENT_ARRAY and not entries:
        entries = possible_cpus()  # what libbpf does; the kernel refuses 0
    attribute = MapCreate(
        map_type=plan.map_type,
        key_size=plan.key_size,
        value_size=plan.value_size,
        max_entries=entries,
        map_flags=plan.flags,
        map_name=shortened(plan.name),
        map_extra=plan.extra,
    )
    if plan.inner is None:
        return _create_with_types(plan, attribute, types)
    # The kernel looks at the template once; it need not outlive the call.
    with create_map(plan.inner, types=types, entries_follow=True) as template:
        attribute.inner_map_fd = template.descriptor.number
        return _create_with_types(plan, attribute, types)


def _create_with_types(
    plan: MapPlan, attribute: MapCreate, types: FileDescriptor | None
) -> FileDescriptor:
    if types is not None and plan.value_type_id:
        attribute.btf_fd = types.number
        attribute.btf_key_type_id = plan.key_type_id
        attribute.btf_value_type_id = plan.value_type_id
        try:
            return FileDescriptor(bpf_accounted(BpfCommand.MAP_CREATE, attribute))
        except BpfError:
            # Which types a map may have differs between kernels; they are for people mostly.
            if plan.needs_types:
                raise
        attribute.btf_fd = attribute.btf_key_type_id = attribute.btf_value_type_id = 0
    return FileDescriptor(bpf_accounted(BpfCommand.MAP_CREATE, attribute))


def _creation_failure(error: BpfError, plan: MapPlan) -> SkepError:
    what = f"create map {plan.name!r} ({map_type_name(plan.map_type)})"
    if error.number == errno.E2BIG and plan.map_type in _PER_CPU | _ARRAYS:
        return KernelRefused(
            f"could not {what}: {plan.max_entries} entries of {plan.value_size} bytes "
            "are too large",
            hint="a value of a per-CPU array may have 32,768 bytes",
        )
    # E2BIG is also what an unknown field gets; hashes of 2^31 buckets are refused with it.
    is_huge = error.number == errno.E2BIG and plan.max_entries >= _HUGE
    if error.number == errno.ENOMEM or is_huge:
        return KernelBusy(
            f"map {plan.name!r} needs {_size(plan)}; the kernel says {error_name(error.number)}",
            hint="fewer entries need less: "
            f"[maps.{plan.name}] max_entries in the package, or its setting",
        )
    if error.number != errno.EINVAL:
        return failure(error, what)
    if plan.map_type not in _TYPE_NAMES:
        return NotInThisKernel(
            f"could not {what}: this kernel does not know that type", hint="use a newer kernel"
        )
    return KernelRefused(f"could not {what}: the kernel says EINVAL", hint=_rule(plan))


def _size(plan: MapPlan) -> str:
    """What a map takes at least: its keys and values, without what the kernel adds."""
    entries, value = plan.max_entries, -(-plan.value_size // 8) * 8
    if plan.map_type in _RINGS:
        return _human(entries)
    copies = possible_cpus() if plan.map_type in _PER_CPU else 1
    key = 0 if plan.map_type in _ARRAYS else plan.key_size
    return (
        f"{_human(entries * (key + value * copies))} ({entries:,} entries of "
        f"{plan.key_size + plan.value_size} bytes{f' for {copies} CPUs' if copies > 1 else ''})"
    )


def _human(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _rule(plan: MapPlan) -> str:
    """The rule of a map type that a refused plan breaks, as far as we can tell."""
    name = map_type_name(plan.map_type)
    if plan.map_type in _RINGS:
        return "a ring buffer has no key and value, and a power of two of whole pages as its size"
    if plan.map_type in _NEED_BTF:
        return f"{name} needs the BTF of its key and value, and BPF_F_NO_PREALLOC"
    if plan.map_type in _MAPS_OF_MAPS:
        return f"{name} needs a template of its inner maps"
    if not plan.max_entries:
        return "max_entries is 0: a size must be given before it is created"
    if name == "LPM_TRIE" and (not plan.flags & _NO_PREALLOC or plan.key_size < 5):
        return "an LPM trie needs BPF_F_NO_PREALLOC and a key of at least 5 bytes"
    if plan.map_type in _ARRAYS and plan.key_size != 4:
        return "the key of an array has 4 bytes"
    return f"key {plan.key_size}, value {plan.value_size} bytes, flags {plan.flags:#x}"
