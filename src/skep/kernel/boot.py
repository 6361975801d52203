"""Which boot this is.

Source: proc(5), ``/proc/sys/kernel/random/boot_id``.
"""

from pathlib import Path

from skep.kernel.errors import proc_missing

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Id of this boot; another one after every start of the kernel.

    Raises:
        KernelFilesMissing: ``/proc`` is not mounted.
    """
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError as error:
        raise proc_missing("could not tell this boot from others") from error
