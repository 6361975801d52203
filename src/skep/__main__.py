"""``python -m skep`` and the ``skep`` script.

Ctrl-C before the commands are loaded ends the process silently, as there is nothing to undo yet.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)

from skep.cli.streams import prepare_streams  # noqa: E402 - the handler above stands first

prepare_streams()

from skep.cli.main import run  # noqa: E402 - what takes time, and keeps the streams it finds

signal.signal(signal.SIGINT, signal.default_int_handler)

if __name__ == "__main__":
    run()
