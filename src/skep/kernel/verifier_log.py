"""Reading the verifier's log: one line of it, and one number, never more.

The log is for people and changes between kernels; 7.3 added paragraphs behind the first line and
another form of the statistics. So: the error is the first line at log level 4, save for two notes
that 5.10 and 6.1 may print before it, and one that newer kernels print about an argument whose
type they do not know; the rest is kept whole and not interpreted.
"""

import re
from collections.abc import Sequence

from skep.bytecode.linking.plan import POISON, Poison

_NOTES = re.compile(r"Unrecognized arg#[0-9]+ type |reg type unsupported for arg#[0-9]+ function ")
# Of a program's entry it is a note, of a global function the error; then nothing follows it.
_MAYBE_NOTE = re.compile(r"arg#[0-9]+ reference type\('[^']*'\) size cannot be determined: ")
_PARAGRAPH = "Verification failed"  # how 7.3 begins to explain
_POISONED = re.compile(rf"invalid func [a-z_]*#{POISON}\b")
_POISONED_CALL = re.compile(rf"^([0-9]{{1,7}}): \(85\) call [a-z_]*#{POISON}\b", re.MULTILINE)
_STATISTICS = re.compile(
    r"verification time [0-9]+|stack depth |processed [0-9]+ insns|insns processed|subprog "
)
_STACK = re.compile(r"^stack depth (?:max )?([0-9]+)(?:\+[0-9]+)*\b", re.MULTILINE)
_MOST_STACK = 512  # MAX_BPF_STACK


def first_line(log: str) -> str:
    r"""The line of a level 4 log that says what is wrong; empty if there is none.

    >>> first_line("Unrecognized arg#0 type PTR\nR0 !read_ok\nprocessed 1 insns")
    'R0 !read_ok'
    """
    note = ""
    for line in log.splitlines():
        text = line.strip()
        if not text or _NOTES.match(text) or _STATISTICS.match(text):
            continue
        if not note and _MAYBE_NOTE.match(text):
            note = text
            continue
        return note if note and text.startswith(_PARAGRAPH) else text
    return note


def reached_poison(poisons: Sequence[Poison], line: str, trace: str) -> str:
    """What a program lacks in this kernel and reaches all the same; empty if that is not why.

    Args:
        poisons: of the program.
        line: that says what is wrong.
        trace: log at level 1, in which the last call of the poison has its slot. If it has not,
            everything that is missing is named.
    """
    if not poisons or not _POISONED.search(line):
        return ""
    calls = _POISONED_CALL.findall(trace)
    slot = int(calls[-1]) if calls else -1
    named = [each.path for each in poisons if each.slot in (slot, slot - 1)]
    return (named or [", ".join(dict.fromkeys(each.path for each in poisons))])[-1]


def stack_depth(log: str) -> int | None:
    r"""Bytes of stack of the entry function, ``None`` if the statistics do not say.

    Up to 7.2 there is one number for each subprogram, the entry's first (``stack depth 16+0``).
    The newer form names a maximum, which is an upper bound for the entry.

    >>> stack_depth("verification time 43 usec\nstack depth 16+0\nprocessed 4 insns")
    16
    """
    match = _STACK.search(log)
    if match is None or len(match[1]) > 4 or int(match[1]) > _MOST_STACK:
        return None
    return int(match[1])
