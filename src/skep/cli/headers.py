"""``skep headers``: headers for authors."""

from pathlib import Path

import click

from skep.cli.context import invocation
from skep.cli.options import PATH, CommandGroup, json_option, quiet_option
from skep.json_documents import schema_id

_RUNNING = Path("/sys/kernel/btf/vmlinux")
_MARK = b"/* vmlinux.h by Skep"


@click.group("headers", cls=CommandGroup)
def command() -> None:
    """Write headers for sources, such as vmlinux.h."""


@command.command(
    "vmlinux",
    examples=("skep headers vmlinux", "skep headers vmlinux --used-by limit.bpf.c -o vmlinux.h"),
)
@click.option(
    "--kernel", type=PATH, metavar="BTF", help="A vmlinux or BTF file. Default: this kernel."
)
@click.option(
    "-o", "--output", "to", type=PATH, default="vmlinux.h", metavar="FILE", help="File to write."
)
@click.option(
    "--used-by",
    "sources",
    type=PATH,
    multiple=True,
    metavar="SOURCE",
    help="Only the types that this C source uses.",
)
@json_option
@quiet_option
def vmlinux(
    *, kernel: Path | None, to: Path, sources: tuple[Path, ...], json: bool, quiet: bool
) -> None:
    """Write a vmlinux.h: all types of a kernel, or those a source uses."""
    import hashlib

    from skep.bytecode.btf.c_header import Uses, c_header
    from skep.bytecode.btf.kernel_types import KernelTypes
    from skep.cli.include_directories import include_directories
    from skep.cli.kernel_checking import read_types
    from skep.compiling.sources import read_sources
    from skep.errors import Conflict

    run = invocation(json=json, quiet=quiet)
    if to.exists() and not to.read_bytes()[: len(_MARK)] == _MARK:
        raise Conflict(
            f"{to} already exists, and was not written by skep headers",
            hint="remove it, or choose another file with --output",
        )
    include = include_directories()
    uses = None
    if sources:
        names = [read_sources(source, include).names() for source in sources]
        uses = Uses(frozenset().union(*names))
    types = read_types(kernel or _RUNNING)
    header = c_header(KernelTypes.build(types).table, uses)
    digest = hashlib.sha256(types).hexdigest()
    what = f"for {', '.join(source.name for source in sources)}" if sources else "all types"
    text = f"{_MARK.decode()}: {what}, from BTF with SHA-256 {digest} */\n{header}"
    to.write_text(text, encoding="utf-8")
    run.output.emit(
        {
            "schema": schema_id("headers"),
            "header": str(to),
            "size_bytes": len(text.encode()),
            "kernel": str(kernel or _RUNNING),
            "types_sha256": digest,
            "used_by": [str(source) for source in sources],
        },
        lambda: [f"wrote {to}  {len(text.encode()):,} bytes, from {kernel or _RUNNING}"],
    )
