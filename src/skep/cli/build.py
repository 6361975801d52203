"""``skep build``: from ``skep.toml`` and C sources to a package in ``dist/``."""

from dataclasses import dataclass
from pathlib import Path

import click

from skep.cli.context import invocation
from skep.cli.environment import Environment
from skep.cli.files import read_file
from skep.cli.interrupts import deferred_interrupts
from skep.cli.options import (
    PATH,
    Command,
    argument,
    json_option,
    quiet_option,
    verbose_option,
    wide_option,
)
from skep.errors import UsageError
from skep.json_documents import schema_id


@dataclass(frozen=True, slots=True)
class Built:
    """A package as it stands in ``dist/``.

    Attributes:
        reference: ``publisher/name:version``.
        digest: of the manifest.
        layout: the OCI image layout directory it was written to.
        size_bytes: of manifest and all blobs.
        compiler: name and version.
        warnings: what the author should look at.
    """

    reference: str
    digest: str
    layout: Path
    size_bytes: int
    compiler: str
    warnings: tuple[str, ...]


def include_directories() -> tuple[Path, ...]:
    """Where the headers for authors are: in an installation, or in a clone."""
    here = Path(__file__).resolve()
    candidates = (here.parents[1] / "include", here.parents[3] / "bpf" / "include")
    return tuple(path for path in candidates if path.is_dir())


def build_package(directory: Path, environment: Environment) -> Built:
    """Compile, analyse and package what is in ``directory``.

    The package is written to ``<directory>/dist/<name>-<version>.oci``, tagged with its version.
    """
    from skep.bytecode.analysis.analysing import analyse
    from skep.bytecode.objectfile.model import ObjectFile
    from skep.bytecode.objectfile.reading import read_object
    from skep.compiling.compiler import compile_object
    from skep.compiling.headers import find_libbpf
    from skep.compiling.toolchain import find_compiler
    from skep.json_documents import canonical_json
    from skep.packages.building import build
    from skep.packages.errors import UnknownProgram
    from skep.packages.installable import refuse_obstacles
    from skep.packages.local.content_store import ContentStore
    from skep.packages.made_costs import as_made
    from skep.packages.metadata import parse_metadata
    from skep.packages.oci.media_types import MANIFEST

    toml = read_file(directory / "skep.toml", "a skep.toml", 64 * 1024)
    metadata = parse_metadata(toml)
    if metadata.build is None:
        raise UsageError(
            f"{directory / 'skep.toml'} has no [build] with sources",
            hint='add [build] and sources = ["<file>.bpf.c"]',
        )
    compiler = find_compiler(environment.variables, metadata.build.compiler)
    libbpf = find_libbpf(metadata.build.libbpf)
    objects: dict[str, bytes] = {}
    sources: dict[str, bytes] = {}
    reports: dict[str, object] = {}
    functions: list[str] = []
    parsed: dict[str, ObjectFile] = {}
    for name in metadata.build.sources:
        source = directory / name
        sources[name] = read_file(source, "a C source", 4 * 1024 * 1024)
        data = compile_object(
            source,
            include_directories(),
            compiler,
            cache=environment.cache / "compiler",
            environment=environment.variables,
            libbpf=libbpf,
            root=directory,
            undisturbed=deferred_interrupts,
        )
        title = Path(name).name.removesuffix(".c").removesuffix(".bpf") + ".o"
        if title in objects:
            raise UsageError(f"two sources would become {title}", hint="rename one of them")
        objects[title] = data
        object_file = parsed[title] = read_object(data)
        functions += [program.name for program in object_file.programs]
        report = analyse(object_file, program_types=metadata.program_types)
        reports[title] = as_made(report, metadata).to_document()
    for program in metadata.programs:
        if program.name not in functions:
            raise UnknownProgram(
                f"no object file has the program {program.name!r} that skep.toml names",
                hint=f"programs there: {', '.join(functions) or 'none'}",
            )
    obstacles = refuse_obstacles(metadata, parsed)
    readme = directory / "README.md"
    package = build(
        toml,
        objects,
        canonical_json(reports),
        read_file(readme, "a README", 1024 * 1024) if readme.exists() else b"",
        sources,
    )
    short = metadata.name.partition("/")[2]
    layout = directory / "dist" / f"{short}-{metadata.version}.oci"
    store = ContentStore(layout)
    for blob in package.blobs.values():
        store.put_blob(blob)
    store.put_manifest(package.blobs[package.manifest.digest], MANIFEST, tag=str(metadata.version))
    return Built(
        reference=f"{metadata.name}:{metadata.version}",
        digest=str(package.manifest.digest),
        layout=layout,
        size_bytes=sum(map(len, package.blobs.values())),
        compiler=f"{compiler.kind} {compiler.version}",
        warnings=(*(f"skep.toml: {each}" for each in metadata.warnings), *obstacles),
    )


@click.command(
    "build", cls=Command, examples=("skep build", "skep build bpf/programs/ratelimiting --json")
)
@argument("directory", type=PATH, default=".", help="Folder with skep.toml.")
@json_option
@quiet_option
@wide_option
@verbose_option
def command(*, directory: Path, json: bool, quiet: bool, verbose: bool, wide: bool) -> None:
    """Compile, analyse and package what a skep.toml describes."""
    from skep.cli.progress import working

    run = invocation(json=json, quiet=quiet, verbose=verbose, wide=wide)
    with working(f"building {directory.resolve().name}", run.output):
        built = build_package(directory, run.environment)
    for warning in built.warnings:
        run.output.warn(warning)
    run.output.emit(
        {
            "schema": schema_id("build"),
            "package": built.reference,
            "digest": built.digest,
            "layout": str(built.layout),
            "size_bytes": built.size_bytes,
            "compiler": built.compiler,
        },
        lambda: [
            f"built {built.reference}  {run.output.digest(built.digest)}",
            f"with {built.compiler}, in {built.layout}",
        ],
    )
