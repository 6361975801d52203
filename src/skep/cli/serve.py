"""``skep serve``: run a marketplace."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation


def command(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = (
        8750
    ),
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the marketplace.")] = None,
    publisher: Annotated[
        list[str] | None,
        typer.Option(
            "--publisher", metavar="NAME=KEYFILE", help="Who may publish; may be repeated."
        ),
    ] = None,
    until_stdin_ends: Annotated[
        bool, typer.Option("--until-stdin-ends", help="Stop when standard input is closed.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a marketplace until Ctrl-C."""
    from skep.cli.files import read_file
    from skep.clock import system_clock
    from skep.errors import UsageError
    from skep.marketplace.registry.settings import ServeSettings
    from skep.marketplace.registry.wiring import serve

    run = invocation(json=json, quiet=quiet)
    keys: dict[str, tuple[bytes, ...]] = {}
    for text in publisher or ():
        name, separator, path = text.partition("=")
        if not separator or not name or not path:
            raise UsageError(
                f"expected NAME=KEYFILE, got {text!r}", hint="--publisher skep=skep.pub"
            )
        keys[name] = (*keys.get(name, ()), read_file(Path(path), "a public key", 64 * 1024))
    settings = ServeSettings(
        directory=data or run.environment.marketplace_data,
        host=host,
        port=port,
        publishers=keys,
    )

    def ready(url: str) -> None:
        names = ", ".join(keys) or "nobody; --publisher NAME=KEYFILE says who"
        run.output.emit(
            {"url": url, "data": str(settings.directory), "publishers": [*keys]},
            lambda: [f"serving {url}", f"from {settings.directory}; may publish: {names}"],
        )

    serve(settings, system_clock, ready, sys.stdin.fileno() if until_stdin_ends else None)
