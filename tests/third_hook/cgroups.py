"""Links to control groups: several programs share a hook; ours goes after those that are there.

A control group is found by its path below the mount of the hierarchy, and told by its id, which is
the number of its directory on 64-bit machines and is not given again. It is never renamed.

Sources: kernel/bpf/cgroup.c of Linux 6.12; Documentation/admin-guide/cgroup-v2.rst.
"""

import ctypes
import errno
import os
import re
from pathlib import Path

from skep.hooks.hook import Hook
from skep.hooks.identity import CgroupIdentity, Identity
from skep.hooks.target import HookTarget
from skep.kernel.attaching.driver import Detached, Hidden, Place, Whereabouts
from skep.kernel.attributes import BpfCommand, ProgramQuery
from skep.kernel.descriptors import FileDescriptor
from skep.kernel.errors import KernelRefused, TargetMissing, TargetNotVisible
from skep.kernel.links import Link, create_link
from skep.kernel.loading import LoadedProgram
from skep.kernel.syscall import BpfError, bpf, failure

_MOUNTS = Path("/proc/self/mounts")
_MOUNT = re.compile(r"^\S+ (\S+) cgroup2 ", re.MULTILINE)
_MOST_PROGRAMS = 64
_Ids = ctypes.c_uint32 * _MOST_PROGRAMS


class _CgroupLinkInfo(ctypes.Structure):
    cgroup_id: int

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("prog_id", ctypes.c_uint32),
        ("_padding_0", ctypes.c_uint8 * 4),
        ("cgroup_id", ctypes.c_uint64),
        ("attach_type", ctypes.c_uint32),
        ("_padding_1", ctypes.c_uint8 * 36),
    )


class CgroupDriver:
    """Programs on control groups, by links."""

    way = "cgroup"
    is_exclusive = False

    def locate(self, on: HookTarget) -> Place:
        root = hierarchy()
        path = root / on.target
        if ".." in path.parts or not path.is_dir():
            raise TargetMissing(f"there is no control group {on.target!r}")
        return _place(on.hook, root, path)

    def find(self, hook: Hook, identity: Identity) -> Place:
        root, path = _path_of(identity)
        return _place(hook.name, root, path)

    def whereabouts(
        self,
        hook: Hook,
        link: Link,
        hint: Identity | None,  # noqa: ARG002 - part of the protocol; the link says where it is
    ) -> Whereabouts:
        number = int(link.info(_CgroupLinkInfo).cgroup_id)
        if number == 0:
            return Detached()
        try:
            return self.find(hook, CgroupIdentity(number))
        except (TargetMissing, TargetNotVisible):
            return Hidden()

    def occupants(self, hook: Hook, identity: Identity) -> tuple[int, ...]:
        programs = _Ids()
        with _opened(identity) as directory:
            attribute = ProgramQuery(
                target_ifindex=directory.number,
                attach_type=hook.attach_type_id,
                prog_ids=ctypes.addressof(programs),
                prog_cnt=_MOST_PROGRAMS,
            )
            try:
                bpf(BpfCommand.PROG_QUERY, attribute)
            except BpfError as error:
                raise failure(error, "ask what is attached to the control group") from error
        return tuple(programs[: int(attribute.prog_cnt)])

    def remark(
        self,
        hook: Hook,  # noqa: ARG002 - part of the protocol; there is one way of being attached
        identity: Identity,
        program: int,  # noqa: ARG002 - as above
    ) -> str:
        _path_of(identity)
        return ""

    def attach(self, hook: Hook, identity: Identity, program: LoadedProgram) -> Link:
        with _opened(identity) as directory:
            try:
                return create_link(program, directory.number, hook.attach_type_id)
            except BpfError as error:
                if error.number == errno.EINVAL:
                    raise KernelRefused(f"program {program.name!r} does not fit") from error
                raise failure(error, f"attach program {program.name!r}") from error

    def replace(self, link: Link, new: LoadedProgram, expected: LoadedProgram | None) -> None:
        link.replace(new, expected)

    def detach(self, link: Link) -> None:
        link.detach()


def hierarchy() -> Path:
    """Where the hierarchy is mounted."""
    match = _MOUNT.search(_MOUNTS.read_text())
    if match is None:
        raise TargetNotVisible("no cgroup2 is mounted here")
    return Path(match[1])


def _path_of(identity: Identity) -> tuple[Path, Path]:
    if not isinstance(identity, CgroupIdentity):
        raise TypeError(f"expected the identity of a control group, got {identity!r}")
    root = hierarchy()
    for folder, _, _ in os.walk(root):
        if Path(folder).stat().st_ino == identity.id:
            return root, Path(folder)
    raise TargetMissing(f"there is no control group number {identity.id} any more")


def _place(hook: str, root: Path, path: Path) -> Place:
    return Place(CgroupIdentity(path.stat().st_ino), HookTarget(hook, str(path.relative_to(root))))


def _opened(identity: Identity) -> FileDescriptor:
    _, path = _path_of(identity)
    return FileDescriptor(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
