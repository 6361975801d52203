"""Exit codes of commands besides those of error families (:data:`skep.errors.FAMILIES`)."""

from collections.abc import Mapping
from types import MappingProxyType

DONE = 0
TO_MEND = 12
INTERRUPTED = 130  # as shells say of a process that SIGINT ended

MEANINGS: Mapping[int, str] = MappingProxyType(
    {
        DONE: "Done. Also if nothing had to be changed, and if the reader of the output went away.",
        TO_MEND: "`skep doctor` found something to repair.",
        INTERRUPTED: "Interrupted. If a change was made by then, its outcome is on standard output "
        "as usual, and standard error says `interrupted after the change was made`.",
    }
)
"""By code, in words for the documentation."""
