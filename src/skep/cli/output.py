"""How commands speak: text for people or one JSON document, and errors with what to do next.

A command decides once what it has to say, as a document of plain values; people see it rendered,
``--json`` prints the document. Everything else (progress, warnings, errors) goes to standard
error, so that standard output can be piped.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from skep.cli.streams import is_unicode, unbroken
from skep.cli.surfaces import Surface, wants_colour, wrapped
from skep.errors import SkepError, codes
from skep.json_documents import schema_id

_DETAIL_LINES = 12  # without --verbose


class Live(Protocol):
    """Something that moves on a terminal."""

    def clear(self) -> None:
        """Take it off the terminal, for good."""


@dataclass(slots=True)
class Output:
    """Standard output and standard error of one command.

    Attributes:
        json: print documents instead of text.
        quiet: print errors and nothing else (documents are still printed with ``json``).
        verbose: print details such as whole verifier logs.
        wide: shorten nothing to fit a terminal.
        done: the change that was made, once its outcome is being printed.
        variables: the environment, which may say how wide a terminal is and whether to use colours.
        live: what is drawn on standard error just now, and cleared before anything else is written.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    wide: bool = False
    done: str = ""
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    live: Live | None = None
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    def emit(
        self,
        document: Mapping[str, object],
        render: Callable[[], Iterable[str]],
        *,
        done: str = "",
    ) -> None:
        """Print ``document`` as JSON, or the lines ``render`` gives.

        Every document says which one it is: ``schema``, see :func:`skep.json_documents.schema_id`.

        Args:
            done: the change that was made, which is told also if this cannot be printed.

        Raises:
            SkepError: it cannot be written.
        """
        if "schema" not in document:
            raise ValueError(f"a document without a schema: {', '.join(document)}")
        self.done = done
        lines = (
            [self._written(document)] if self.json else [] if self.quiet else [*self._fit(render())]
        )
        try:
            with unbroken(self.out):
                for line in lines:
                    print(line, file=self.out)
        except SkepError as error:
            if not done:
                raise
            raise type(error)(
                f"the change was made: {done}; but {error.message}",
                hint="do not repeat it; skep list shows what runs",
            ) from error

    def _fit(self, lines: Iterable[str]) -> Iterator[str]:
        surface = self.surface()
        for line in lines:
            yield from surface.fitted(line)

    def say(self, *lines: str, end: str = "\n") -> None:
        """Write to standard error, whether or not anybody reads it or it can be written.

        What a command does must not depend on who listens: a change is not begun, ended or left
        half-way by a closed pipe or a full disk below standard error.
        """
        self._clear()
        with suppress(SkepError), unbroken(self.err):
            for line in lines:
                print(line, end=end, file=self.err)

    def _clear(self) -> None:
        if self.live is not None:
            self.live.clear()

    def note(self, text: str) -> None:
        """Say something by the way, on standard error."""
        if not self.quiet:
            self.say(text)

    def warn(self, text: str) -> None:
        """Say something that should not be missed, on standard error."""
        self.say(self.style("warning: ", "yellow", stream=self.err) + text)

    def style(self, text: str, *names: str, stream: TextIO | None = None) -> str:
        """Colour ``text`` if ``stream`` (standard output) is a terminal that shows colours."""
        return self.surface(stream).style(text, *names)

    def digest(self, digest: object) -> str:
        """A digest as standard output shows it; see :meth:`Surface.digest`."""
        return self.surface().digest(str(digest))

    @property
    def width(self) -> int | None:
        """Columns of the terminal; ``None`` if text goes elsewhere, where lines stay whole."""
        return self.surface().width

    def surface(self, stream: TextIO | None = None) -> Surface:
        """What ``stream`` (standard output) is written on."""
        stream = stream or self.out
        return Surface(
            None if self.wide or not stream.isatty() else self._columns(stream),
            self.has_colour(stream),
            self.verbose,
            self.wide,
        )

    def has_colour(self, stream: TextIO) -> bool:
        """Whether colours are wanted there."""
        return wants_colour(self.variables, is_terminal=stream.isatty())

    def _columns(self, stream: TextIO) -> int:
        """Of the terminal that ``stream`` is, which need not be standard output's."""
        with suppress(ValueError):
            if (chosen := int(self.variables.get("COLUMNS", ""))) > 0:
                return chosen
        with suppress(OSError, ValueError):
            if columns := os.get_terminal_size(stream.fileno()).columns:
                return columns
        return 80

    def fail(self, error: BaseException) -> int:
        """Report ``error`` and give the exit code of its family."""
        if isinstance(error, SkepError):
            message, hint, detail = error.message, error.hint, error.detail
            family = error.family
        else:
            message = f"this is a bug in Skep: {type(error).__name__}: {error}"
            hint, detail, family = "please report it, with --verbose", "", "internal"
        if self.json:
            document = {
                "schema": schema_id("error"),
                "error": {
                    "family": family,
                    "kind": type(error).__name__,
                    "message": message,
                    "hint": hint,
                    "detail": detail,
                },
            }
            with suppress(SkepError), unbroken(self.out):  # what failed may be this very output
                print(self._written(document), file=self.out)
        self._clear()
        with suppress(SkepError), unbroken(self.err):
            print(self.style("error: ", "red", "bold", stream=self.err), end="", file=self.err)
            print("\n       ".join(self._error_lines(message)), file=self.err)
            if detail and not message.endswith(detail):  # one problem of one: it is said already
                self._print_detail(detail, is_end=not _begins_with_the_cause(error))
            if hint:
                # Never wrapped: it is a command to paste.
                print(self.style("hint:  ", "cyan", stream=self.err) + hint, file=self.err)
        return codes(error).exit_code

    def _error_lines(self, message: str) -> list[str]:
        width = self.surface(self.err).width
        room = None if width is None else max(width - len("error: "), 20)
        return [part for line in message.split("\n") for part in wrapped(line, room)]

    def _written(self, document: Mapping[str, object]) -> str:
        # JSON has escapes of its own, which need no better encoding than ASCII.
        return json.dumps(document, indent=1, ensure_ascii=not is_unicode(self.out))

    def _print_detail(self, detail: str, *, is_end: bool) -> None:
        lines = detail.rstrip().splitlines()
        left_out = 0 if self.verbose else max(len(lines) - _DETAIL_LINES, 0)
        if left_out and is_end:
            print(f"  … {left_out} lines before; --verbose shows all", file=self.err)
        for line in lines[left_out:] if is_end else lines[: len(lines) - left_out]:
            print(f"  {line}", file=self.err)
        if left_out and not is_end:
            print(f"  … {left_out} lines more; --verbose shows all", file=self.err)


def _begins_with_the_cause(error: BaseException) -> bool:
    return isinstance(error, SkepError) and error.begins_with_the_cause


def counted(count: int, noun: str) -> str:
    """Write a number of things, with a noun that takes an s.

    >>> counted(1, "key"), counted(2, "key")
    ('1 key', '2 keys')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def human_bytes(count: int) -> str:
    """Write a number of bytes as people do.

    >>> human_bytes(512), human_bytes(61_000), human_bytes(538_000_000)
    ('512 B', '60 KB', '513 MB')
    """
    size = float(count)
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GB"
