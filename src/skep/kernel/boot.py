"""Which boot this is.

Source: proc(5), ``/proc/sys/kernel/random/boot_id``.
"""

from pathlib import Path

from skep.errors import NotFound

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Id of this boot; another one after every start of the kernel.

    Raises:
        NotFound: ``/proc`` is not mounted.
    """
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError as error:
        raise NotFound(
            f"could not read {_BOOT_ID}: {error.strerror}", hint="mount -t proc proc /proc"
        ) from error
