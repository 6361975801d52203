"""Names as the kernel takes them: at most 15 characters of letters, digits, ``_`` and ``.``.

Source: ``bpf_obj_name_cpy`` in kernel/bpf/syscall.c.
"""

import re

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.]")
_LONGEST = 15  # BPF_OBJ_NAME_LEN is 16 with the terminating zero


def shortened(text: str) -> bytes:
    """The nearest name the kernel accepts.

    >>> shortened("connection-limit/first")
    b'connection_limi'
    """
    return _FORBIDDEN.sub("_", text)[:_LONGEST].encode("ascii")
