"""From a project folder to a package in its ``dist/``: compile, analyse, check, package, store."""

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.cli.environment import Environment
from skep.cli.files import read_file
from skep.cli.include_directories import include_directories
from skep.cli.interrupts import deferred_interrupts
from skep.compiling.compiler import CSource, compile_object
from skep.compiling.headers import find_libbpf
from skep.compiling.toolchain import find_compiler
from skep.errors import Malformed, NotFound, SkepError, UsageError
from skep.json_documents import canonical_json
from skep.node.wiring.running_kernel import RunningKernel
from skep.packages.authored import parse_authored
from skep.packages.building import build
from skep.packages.content import Package
from skep.packages.installable import find_obstacles, refuse_obstacles
from skep.packages.kernel_gaps import MachineKernel, kernel_gaps
from skep.packages.local.content_store import ContentStore
from skep.packages.made_costs import as_made
from skep.packages.metadata import BuildMetadata, PackageMetadata
from skep.packages.oci.media_types import MANIFEST
from skep.packages.toml_places import key_lines
from skep.packages.toml_problems import place_of

_LARGEST_METADATA = 64 * 1024
_LARGEST_SOURCE = 4 * 1024 * 1024
_LARGEST_README = 1024 * 1024
_TYPES = Path("/sys/kernel/btf/vmlinux")


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
        changed: it was not there before, or with other content.
    """

    reference: str
    digest: str
    layout: Path
    size_bytes: int
    compiler: str
    warnings: tuple[str, ...]
    changed: bool


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What the sources of a project became, by title of the object.

    Attributes:
        compiler: name and version.
        sources: by path relative to the project.
        data: object files.
        objects: the same as values.
        reports: what analysis says of each.
        names: which source each was.
    """

    compiler: str
    sources: Mapping[str, bytes]
    data: Mapping[str, bytes]
    objects: Mapping[str, ObjectFile]
    reports: Mapping[str, AnalysisReport]
    names: Mapping[str, str]


def build_package(directory: Path, environment: Environment) -> Built:
    """Compile, analyse and package what is in ``directory``.

    The package is written to ``<directory>/dist/<name>-<version>.oci``, tagged with its version.

    1. ``skep.toml`` is read; unknown keys are refused.
    2. The sources are compiled and analysed.
    3. What contradicts itself, and what no kernel or node can load, is refused.
    4. What this machine's kernel could not load is a warning.

    Raises:
        MalformedMetadata, UsageError: 1.
        CompileFailed: 2.
        MalformedMetadata, MalformedPackage, Unloadable: 3.
    """
    toml = read_file(directory / "skep.toml", "a skep.toml", _LARGEST_METADATA)
    # (1)
    metadata = parse_authored(toml)
    if metadata.build is None:
        raise UsageError(
            f"{directory / 'skep.toml'} has no [build] with sources",
            hint='add [build] and sources = ["<file>.bpf.c"]',
        )
    # (2)
    _check_sources(directory, toml, metadata.build)
    compiled = _compile(directory, metadata, metadata.build, environment)
    # (3)
    found = find_obstacles(metadata, compiled.objects, compiled.reports)
    named = [replace(each, place=compiled.names.get(each.place, each.place)) for each in found]
    warnings = refuse_obstacles(toml, named)
    # (4)
    gaps = kernel_gaps(metadata, compiled.reports, _this_kernel())
    readme = directory / "README.md"
    package = build(
        toml,
        compiled.data,
        canonical_json({name: each.to_document() for name, each in compiled.reports.items()}),
        read_file(readme, "a README", _LARGEST_README) if readme.exists() else b"",
        compiled.sources,
    )
    short = metadata.name.partition("/")[2]
    layout = directory / "dist" / f"{short}-{metadata.version}.oci"
    return Built(
        reference=f"{metadata.name}:{metadata.version}",
        digest=str(package.manifest.digest),
        layout=layout,
        size_bytes=sum(map(len, package.blobs.values())),
        compiler=compiled.compiler,
        warnings=(*warnings, *gaps),
        changed=_store(package, layout, str(metadata.version)),
    )


def _check_sources(directory: Path, toml: bytes, wanted: BuildMetadata) -> None:
    for position, name in enumerate(wanted.sources):
        if not (directory / name).exists():
            place = place_of(key_lines(toml), f"build.sources[{position}]")
            there = sorted(path.name for path in directory.glob("*.c"))
            raise NotFound(
                f"{place}: there is no file {directory / name}",
                hint=f"C files there: {', '.join(there) or 'none'}",
            )


def _compile(
    directory: Path, metadata: PackageMetadata, wanted: BuildMetadata, environment: Environment
) -> _Compiled:
    compiler = find_compiler(environment.variables, wanted.compiler)
    libbpf = find_libbpf(wanted.libbpf)
    sources: dict[str, bytes] = {}
    data: dict[str, bytes] = {}
    objects: dict[str, ObjectFile] = {}
    reports: dict[str, AnalysisReport] = {}
    names: dict[str, str] = {}
    for name in wanted.sources:
        source = directory / name
        sources[name] = read_file(source, "a C source", _LARGEST_SOURCE)
        title = Path(name).name.removesuffix(".c").removesuffix(".bpf") + ".o"
        if title in data:
            raise UsageError(f"two sources would become {title}", hint="rename one of them")
        names[title] = name
        data[title] = compile_object(
            CSource(source, include_directories(), libbpf=libbpf, root=directory),
            compiler,
            cache=environment.cache / "compiler",
            environment=environment.variables,
            undisturbed=deferred_interrupts,
        )
        with _about(name):
            objects[title] = read_object(data[title])
            report = analyse(objects[title], program_types=metadata.program_types)
        reports[title] = as_made(report, metadata)
    return _Compiled(f"{compiler.kind} {compiler.version}", sources, data, objects, reports, names)


@contextmanager
def _about(source: str) -> Iterator[None]:
    """Let an error in the block name the source, not the object made of it."""
    try:
        yield
    except SkepError as error:
        raise type(error)(
            f"{source}: {error.message}", hint=error.hint, detail=error.detail
        ) from error


def _this_kernel() -> MachineKernel:
    """The kernel this runs on; its types are not read, only whether there are any."""
    try:
        options = RunningKernel(None).configuration()
    except Malformed:
        options = None
    return MachineKernel(platform.release(), _TYPES.exists(), options)


def _store(package: Package, layout: Path, tag: str) -> bool:
    """Write a package to a layout; whether that changed anything."""
    store = ContentStore(layout)
    digest = package.manifest.digest
    known = store.tags().get(tag)
    if known is not None and known.digest == digest and all(map(store.has_blob, package.blobs)):
        return False
    for blob in package.blobs.values():
        store.put_blob(blob)
    store.put_manifest(package.blobs[digest], MANIFEST, tag=tag)
    return True
