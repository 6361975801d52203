"""Reading the verifier's log: one line of it, and two numbers, never more.

The log is for people and changes between kernels; 7.3 added paragraphs behind the first line and
another form of the statistics. So: the error is the first line at log level 4, save for two notes
that 5.10 and 6.1 may print before it, and one that newer kernels print about an argument whose
type they do not know; the rest is kept whole and not interpreted.
"""

import re
from collections.abc import Sequence

from skep.bytecode.isa.codes import POISON
from skep.bytecode.linking.plan import Poison

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
_WALKED = re.compile(r"^processed ([0-9]{1,9}) insns\b", re.MULTILINE)
_MOST_STACK = 512  # MAX_BPF_STACK
_INSTRUCTION = re.compile(r"^([0-9]{1,7}): \([0-9a-f]{2}\) ", re.MULTILINE)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# Wordings of 5.10 to 7.3; what is not here is shown as the verifier says it.
_MEANINGS = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (r"^(R[0-9]+) invalid mem access '[a-z_]*_or_null'", "{0} may be NULL here: test it first"),
        (
            r"^(R[0-9]+) invalid mem access '(?:inv|scalar)'",
            "{0} is a number here, not a pointer: it cannot be dereferenced",
        ),
        (r"^(R[0-9]+) !read_ok", "{0} is read here before anything was written to it"),
        (
            r"^invalid access to packet, off=-?[0-9]+ size=[0-9]+, (R[0-9]+)",
            "{0} may lie beyond the end of the packet here: compare it with data_end first",
        ),
        (
            r"^invalid access to map value, value_size=([0-9]+) off=(-?[0-9]+) size=([0-9]+)",
            "this reaches {2} bytes at {1} of a map's value, which has {0}",
        ),
        (
            r"^(R[0-9]+) unbounded memory access",
            "{0} has no upper bound here: check it against one first",
        ),
        (r"^(?:infinite loop detected|back-edge from insn)", "this loop may never end"),
        (
            r"^BPF program is too large\. Processed ([0-9]+) insn",
            "the verifier gave up after {0} instructions: bound the loops, or simplify the program",
        ),
        (
            r"^cannot call GPL-restricted function from non-GPL compatible program",
            "this function is for programs with a GPL-compatible kernel licence only",
        ),
        (
            r"^map '([^']*)' has to have BTF in order to use (bpf_[a-z_]+)",
            "map {0} has no BTF, which {1} needs: compile the program with -g",
        ),
    )
)


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


def last_slot(trace: str) -> int | None:
    r"""Slot of the instruction a log at level 1 ends at; ``None`` if it shows none.

    Lines of the source begin with ``;``, so nothing that an object says is taken for a slot.

    >>> last_slot("0: (b7) r0 = 0\n; 7: (95) exit\n1: (79) r1 = *(u64 *)(r0 +0)\nR0 invalid")
    1
    """
    slots = _INSTRUCTION.findall(trace)
    return int(slots[-1]) if slots else None


def explained(line: str) -> str:
    """The verifier's line in the words of an author; unchanged if we have none.

    >>> explained("R0 invalid mem access 'map_value_or_null'")
    'R0 may be NULL here: test it first'
    """
    for pattern, meaning in _MEANINGS:
        match = pattern.search(line)
        if match:
            return meaning.format(*match.groups())
    return line


def printable(log: str) -> str:
    r"""A log without anything that a terminal obeys: source lines in it are the object's.

    >>> printable("; a\x1b[2Jb\n")
    '; a\ufffd[2Jb\n'
    """
    return _UNPRINTABLE.sub("\ufffd", log)


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


def walked_instructions(log: str) -> int:
    r"""How many instructions the verifier walked before it refused, 0 if it does not say.

    >>> walked_instructions("R0 !read_ok\nprocessed 4 insns (limit 1000000)")
    4
    """
    match = _WALKED.search(log)
    return 0 if match is None else int(match[1])
