"""Warnings of the rooms below, as people read them.

Rooms log static messages with fields. Without a handler Python writes a warning's message bare to
standard error, without its fields. Here it becomes a warning of the command.
"""

import logging

from skep.cli.output import Output
from skep.errors import SkepError

_USUAL = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class ToldWarnings(logging.Handler):
    """Writes warnings to the output of a command.

    A record that has a field ``sentence`` is told by it, others by message and fields.
    """

    def __init__(self, output: Output) -> None:
        super().__init__(logging.WARNING)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Write one; what cannot be written is given up, as the command's outcome matters more."""
        try:
            self._output.warn(warning_text(record))
        except SkepError:
            return


def warning_text(record: logging.LogRecord) -> str:
    """A record as a line for people."""
    fields = {key: value for key, value in record.__dict__.items() if key not in _USUAL}
    if "sentence" in fields:
        return str(fields["sentence"])
    listed = ", ".join(f"{key}: {value}" for key, value in fields.items())
    return f"{record.getMessage()} ({listed})" if listed else record.getMessage()


def tell_warnings(output: Output) -> None:
    """Let every warning of Skep go to an output, from now on."""
    log = logging.getLogger("skep")
    if not any(isinstance(handler, ToldWarnings) for handler in log.handlers):
        log.addHandler(ToldWarnings(output))
