"""Names without flavour."""

import re

_FLAVOURED = re.compile(r"(.*[^_])___[^_].*", re.DOTALL)


def essential_name(name: str) -> str:
    """``name`` without its flavour: what follows the last ``___`` between other characters.

    Source: ``bpf_core_essential_name_len`` in tools/lib/bpf/relo_core.c of Linux 6.18.

    >>> essential_name("task_struct___5_14")
    'task_struct'
    >>> essential_name("a____b"), essential_name("___a")
    ('a____b', '___a')
    """
    if "___" not in name:
        return name
    match = _FLAVOURED.fullmatch(name)
    return match[1] if match else name
