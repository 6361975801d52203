"""Events of a perf event array, as user space sees them.

Sources: perf_event_open(2); ``struct perf_event_attr`` and ``struct perf_event_mmap_page`` in the
kernel's uapi headers.
"""

import ctypes
import mmap
import os
import struct
from dataclasses import dataclass

_PERF_EVENT_OPEN = 298  # of x86-64
_SOFTWARE, _BPF_OUTPUT, _RAW = 1, 10, 1 << 10
_PAGE = 4096
_HEAD, _TAIL = 1024, 1032  # in the page of control
_SAMPLE = 9
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Events:
    """The events of one CPU.

    Attributes:
        descriptor: for the map.
        cpu: index in the map.
    """

    descriptor: int
    cpu: int
    _memory: mmap.mmap

    @classmethod
    def opened(cls) -> "Events | None":
        """For the CPU we are bound to; ``None`` where the kernel has no such events."""
        cpu = min(os.sched_getaffinity(0))
        attribute = bytearray(128)
        struct.pack_into("<IIQQQ", attribute, 0, _SOFTWARE, 128, _BPF_OUTPUT, 1, _RAW)
        struct.pack_into("<I", attribute, 48, 1)  # wakeup_events
        buffer = ctypes.create_string_buffer(bytes(attribute), len(attribute))
        number = _libc.syscall(ctypes.c_long(_PERF_EVENT_OPEN), buffer, -1, cpu, -1, 8)
        if number < 0:
            return None
        memory = mmap.mmap(number, 3 * _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        return cls(number, cpu, memory)

    def drain(self) -> tuple[bytes, ...]:
        """Raw data of what came since the last time."""
        (head,) = struct.unpack_from("<Q", self._memory, _HEAD)
        (tail,) = struct.unpack_from("<Q", self._memory, _TAIL)
        size = 2 * _PAGE
        ring = self._memory[_PAGE : 3 * _PAGE]
        found = []
        while tail < head:
            start = tail % size
            around = ring[start:] + ring[:start]
            kind, _, length = struct.unpack_from("<IHH", around)
            if kind == _SAMPLE:
                (raw,) = struct.unpack_from("<I", around, 8)
                found.append(around[12 : 12 + raw])
            tail += length
        struct.pack_into("<Q", self._memory, _TAIL, head)
        return tuple(found)

    def close(self) -> None:
        """Unmap and close."""
        self._memory.close()
        os.close(self.descriptor)
