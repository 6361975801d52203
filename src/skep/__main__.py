"""``python -m skep``."""

from skep.cli.main import run

run()
