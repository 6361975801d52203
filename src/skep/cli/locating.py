"""What a person typed, found: an object file, a package folder, or a package by reference."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.objectfile.reading import read_object
from skep.cli.environment import Environment
from skep.cli.stored_metadata import stored_metadata
from skep.errors import NotFound, UsageError
from skep.packages.content import PackageContent
from skep.packages.identity import check_identity
from skep.packages.local.content_store import ContentStore, reading_package
from skep.packages.metadata import PackageMetadata
from skep.packages.oci.descriptors import Descriptor
from skep.packages.opening import open_package
from skep.packages.references import Reference, parse_reference
from skep.packages.tags import Stored, find_tag


@dataclass(frozen=True, slots=True)
class Found:
    """A package in a content store.

    Attributes:
        store: where it is.
        descriptor: of its manifest.
        name: ``publisher/name``.
        reference: ``publisher/name:version``.
        origin: host of the marketplace it came from; empty if it is not known.
    """

    store: ContentStore
    descriptor: Descriptor
    name: str
    reference: str
    origin: str = ""

    @property
    def qualified(self) -> Reference:
        """The reference with the place it came from."""
        return replace(parse_reference(self.reference), host=self.origin or None)

    @property
    def metadata(self) -> PackageMetadata:
        """Its metadata, hashed; whoever signed it."""
        return stored_metadata(self.store, self.descriptor.digest)

    def open(self) -> PackageContent:
        """Open the package, every byte hashed."""
        with reading_package(self.qualified):
            return open_package(self.store.blob(self.descriptor.digest), self.store.blob)


def open_layout(path: Path) -> Found:
    """Find the package in an OCI layout folder, or the newest one a project folder has built.

    Raises:
        NotFound: there is neither.
        UsageError: a layout with several packages.
    """
    layout = path
    if not (path / "oci-layout").exists():
        built = sorted((path / "dist").glob("*.oci"), key=lambda entry: entry.stat().st_mtime_ns)
        if not built:
            raise NotFound(
                f"there is no package in {path}",
                hint=f"skep build {shlex.quote(str(path))}",
            )
        layout = built[-1]
    store = ContentStore(layout)
    tags = store.tags()
    if len(tags) != 1:
        raise UsageError(f"expected one package in {layout}, found {len(tags)}")
    (descriptor,) = tags.values()
    metadata = stored_metadata(store, descriptor.digest)
    return Found(store, descriptor, metadata.name, f"{metadata.name}:{metadata.version}")


def found_at(store: ContentStore, stored: Stored, reference: Reference) -> Found:
    """A package that a reference means, once it is known to be what the reference names.

    Raises:
        WrongContent: it is another one; a digest, or a tag that was changed, leads to it.
    """
    with reading_package(stored.tag.reference):
        metadata = stored_metadata(store, stored.digest)
    check_identity(metadata, reference)
    return Found(
        store,
        stored.descriptor,
        metadata.name,
        f"{metadata.name}:{metadata.version}",
        stored.tag.origin if stored.tag.package == metadata.name else "",
    )


def find_stored(reference: Reference, environment: Environment) -> Found | None:
    """Find what a reference means among the packages on this machine; nobody is asked.

    Raises:
        AmbiguousReference: it could mean several; see :mod:`skep.packages.tags`.
        WrongContent: the digest is of another package than the name.
        UnknownMarketplace: it names a marketplace that is not configured.
    """
    if not (environment.content / "oci-layout").exists():
        return None
    from skep.cli.asking import known_marketplaces  # loads HTTP, which a file needs not

    store = ContentStore(environment.content)
    known = known_marketplaces(environment)
    located = known.located(reference)
    stored = find_tag(store.tags(), located, known.default_origin)
    return None if stored is None else found_at(store, stored, located)


def locate(text: str, environment: Environment) -> Found | Path:
    """Decide what ``text`` names: a package, or a path to an object file.

    Raises:
        NotFound: nothing here is called that.
    """
    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        return open_layout(path)
    if path.suffix == ".o" or text.startswith((".", "/")):
        raise NotFound(f"there is no file or folder {text}")
    reference = parse_reference(text)
    found = find_stored(reference, environment)
    if found is None:
        from skep.cli.asking import known_marketplaces
        from skep.packages.client.obtaining import not_here

        located = known_marketplaces(environment).located(reference)
        raise not_here(located, ContentStore(environment.content).tags())
    return found


def derive_reports(
    objects: Mapping[str, bytes], program_types: Mapping[str, str]
) -> dict[str, AnalysisReport]:
    """Analyse object files: labels are derived from the bytes at hand, never believed.

    Args:
        objects: content by title.
        program_types: by function, where the package says; empty for a bare file.
    """
    return {
        title: analyse(read_object(data), program_types=program_types)
        for title, data in objects.items()
    }
