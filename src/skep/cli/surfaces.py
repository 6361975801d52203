"""What lines are written on: how wide it is, and whether it shows colours.

A value, so that what is drawn depends on nothing else: :class:`skep.cli.output.Output` gives that
of a stream.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_COMMAND = re.compile(r"(\x1b\[[0-9;]*m)*(skep|undo:) ")  # to be copied
_LONG_DIGESTS = re.compile(r"\b(?:sha256|SHA256):[0-9a-f]{40,}")
_DIGEST_CHARACTERS = 12
_FURTHER_IN = 2
_NARROWEST = 20  # columns
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Surface:
    """A terminal, or a pipe or file.

    Attributes:
        width: columns of the terminal; ``None`` if text goes elsewhere, where lines stay whole.
        has_colour: colours are wanted there.
        is_whole: nothing is left out for brevity (``--verbose``).
        is_wide: nothing is shortened to fit (``--wide``).
    """

    width: int | None = None
    has_colour: bool = False
    is_whole: bool = False
    is_wide: bool = False

    def style(self, text: str, *names: str) -> str:
        """Colour ``text`` if colours are wanted."""
        if not self.has_colour or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"

    def digest(self, text: str) -> str:
        """A digest as people compare it: its first characters, without the algorithm.

        >>> Surface().digest("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e")
        '2cf24dba5fb0'
        """
        return text if self.is_wide else text.rpartition(":")[2][:_DIGEST_CHARACTERS]

    def digests(self, text: str) -> str:
        """A sentence with its digests and fingerprints as people compare them.

        >>> Surface().digests("of sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e730433")
        'of 2cf24dba5fb0'
        """
        return _LONG_DIGESTS.sub(lambda match: self.digest(match[0]), text)

    def fitted(self, line: str) -> list[str]:
        """A line, continued further in on the next ones if it is too long; a command stays whole.

        >>> Surface(16).fitted("  one two three four")
        ['  one two three', '    four']
        """
        if self.width is None or columns(line) <= self.width or _COMMAND.match(line):
            return [line]
        margin = len(line) - len(line.lstrip(" "))
        first, *rest = wrapped(line, self.width)
        if not rest:
            return [first]
        more = wrapped(" ".join(rest), max(self.width - margin - _FURTHER_IN, _NARROWEST))
        return [first, *(" " * (margin + _FURTHER_IN) + each for each in more)]


def wants_colour(variables: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Whether colours are wanted, by the conventions that programs share.

    ``NO_COLOR`` (https://no-color.org) wins, then ``CLICOLOR_FORCE`` and ``CLICOLOR``
    (https://bixense.com/clicolors), then whether it is a terminal that knows colours.

    >>> wants_colour({"CLICOLOR_FORCE": "1"}, is_terminal=False)
    True
    """
    if variables.get("NO_COLOR"):
        return False
    if variables.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    if variables.get("CLICOLOR") == "0" or variables.get("TERM") == "dumb":
        return False
    return is_terminal


def columns(text: str) -> int:
    r"""Columns that ``text`` takes on a terminal; colours take none.

    >>> columns("\x1b[31mone\x1b[0m two")
    7
    """
    return len(_COLOURS.sub("", text))


def wrapped(text: str, width: int | None) -> list[str]:
    r"""Break ``text`` at spaces into lines of at most ``width`` columns; colours take none.

    >>> wrapped("one two three", 8)
    ['one two', 'three']
    >>> wrapped("\x1b[31mone\x1b[0m two", 7)
    ['\x1b[31mone\x1b[0m two']
    >>> wrapped("stays  whole", None)
    ['stays  whole']
    """
    if width is None:
        return [text]
    lines = [""]
    for space, word in re.findall(r"( *)([^ ]+)", text):
        longer = lines[-1] + space + word
        if lines[-1] and columns(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
