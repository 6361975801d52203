"""Pulling: a package and its signatures into the content store, all of it or nothing.

1. The manifest is hashed here; if a digest was asked for, it must be that one.
2. Its form and declared sizes are checked before anything it names is fetched.
3. Every blob is hashed and has the declared size; not a byte more than that is received.
4. The package is what was asked for: name and version inside its metadata, not in a header, a
   path or an annotation. Otherwise an old or foreign package could be served under a new name.
5. A version from this marketplace that is in the store already keeps its content, unless the caller
   says otherwise.
6. Each signature's manifest is about this very package, whatever list it was in.
7. Only then are package and signatures listed in the store, in one step, under a tag that names the
   marketplace: what one marketplace serves never answers for another.

Who signed is not this module's question: see :mod:`skep.trust`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from skep.digests import Digest
from skep.errors import UsageError
from skep.packages.client.errors import MarketplaceNotFound, VersionChanged
from skep.packages.client.progress import ByteMeter, Progress
from skep.packages.client.registry import Registry
from skep.packages.content import PackageContent
from skep.packages.errors import WrongContent
from skep.packages.local.content_store import ContentStore, NewManifest
from skep.packages.local.urls import origin_of
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.manifests import parse_manifest
from skep.packages.oci.media_types import METADATA
from skep.packages.oci.referrers import bundle_layer
from skep.packages.opening import open_package, parse_package_manifest
from skep.packages.references import Reference
from skep.packages.tags import Tag
from skep.sigstore import BUNDLE, LARGEST_BUNDLE, MOST_BUNDLES
from skep.versions import MalformedVersion, Version, newest, newness

Accept = Callable[[PackageMetadata], None]
"""Raises if a package is of no use, before all of it is fetched; nothing of it is verified yet."""

_MOST_NAMED = 10  # versions in a message


@dataclass(frozen=True, slots=True)
class Pulled:
    """A package that is in the store now.

    Attributes:
        reference: what was asked for, with the version and digest it has.
        digest: of the manifest.
        tag: name in the store, with the origin; see :mod:`skep.packages.tags`.
        content: the opened package.
        bundles: signatures as they came; not verified.
        changed: the store did not have all of it.
    """

    reference: Reference
    digest: Digest
    tag: str
    content: PackageContent
    bundles: tuple[bytes, ...]
    changed: bool = True


def newest_version(registry: Registry, package: str) -> Version:
    """The newest version of a package; see :func:`skep.versions.newest`.

    Raises:
        MarketplaceNotFound: there is none.
    """
    found = newest(_versions(registry.tags(package)))
    if found is None:
        raise MarketplaceNotFound(
            f"{registry.called} has no version of {package}",
            hint=f"skep search {package.rpartition('/')[2]}",
        )
    return found


def _missing(registry: Registry, package: str, wanted: str | Digest) -> MarketplaceNotFound:
    """The refusal of a version or digest, with the versions there are.

    Raises:
        SkepError: the package is not there at all, or that cannot be asked.
    """
    there = sorted(_versions(registry.tags(package)), key=newness, reverse=True)
    known = ", ".join(map(str, there[:_MOST_NAMED])) or "none"
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    mark = "@" if isinstance(wanted, Digest) else ":"
    return MarketplaceNotFound(
        f"{registry.called} has no {package}{mark}{wanted}",
        hint=f"versions there: {known}{more}",
    )


def _versions(tags: Iterable[str]) -> Iterator[Version]:
    for tag in tags:
        with suppress(MalformedVersion):
            yield Version.parse(tag)


def pull(
    reference: Reference,
    client: Registry,
    store: ContentStore,
    progress: Progress | None = None,
    *,
    default: str | None = None,
    replace: bool = False,
    accept: Accept | None = None,
) -> Pulled:
    """Fetch a package.

    Args:
        reference: if it has a host, it is the client's.
        client: the marketplace.
        store: where it goes; what is there already and undamaged is not fetched again.
        progress: told about bytes of blobs.
        default: origin of the default marketplace; content of unknown origin counts as its.
        replace: a version in the store may get other content.
        accept: called with the metadata before another layer is fetched; may raise.

    Raises:
        UsageError: the reference names another marketplace than the client's.
        MarketplaceNotFound, MarketplaceUnavailable, MalformedAnswer: it did not come.
        DigestMismatch: something else came.
        MalformedDocument, MalformedPackage, MalformedMetadata, UnsupportedPackage: it is no
            package we can use.
        WrongContent: it is another package than the one asked for.
        VersionChanged: the store has other content for this version.
    """
    package = reference.package
    origin = origin_of(client.url)
    if reference.marketplace is not None or reference.host not in (None, origin):
        raise UsageError(f"{reference} is not from {client.url}", hint="ask the place it names")
    wanted: str | Digest
    if reference.digest is not None:
        wanted = reference.digest
    else:
        wanted = str(reference.version or newest_version(client, package))
    # (1)
    try:
        fetched = client.manifest(package, wanted)
    except MarketplaceNotFound as error:
        raise _missing(client, package, wanted) from error
    # (2)
    manifest = parse_package_manifest(fetched.data)
    layers = {layer.digest: layer for layer in (manifest.config, *manifest.layers)}
    meter = ByteMeter(sum(layer.size for layer in layers.values()), progress)
    was_whole = all(map(store.has_blob, (fetched.digest, *layers)))
    # (3) The metadata first: whoever does not want it is spared the rest.
    for layer in sorted(layers.values(), key=lambda one: one.media_type != METADATA):
        data = _fetch(client, package, layer, store, meter)
        if accept is not None and layer.media_type == METADATA:
            accept(parse_metadata(data))
    content = open_package(fetched.data, store.blob)
    # (4)
    found = content.metadata
    expected = reference.version or (Version.parse(wanted) if isinstance(wanted, str) else None)
    if found.name != package or expected not in (None, found.version):
        version = f":{expected}" if expected is not None else ""
        raise WrongContent(
            f"asked {client.url} for {package}{version}, got {found.name}:{found.version}",
            hint="the marketplace serves one package under the name of another",
        )
    tag = str(Tag(found.name, found.version, origin))
    # (5)
    tags = store.tags()
    known = tags.get(tag)
    if known is None and origin == default:
        known = tags.get(str(Tag(found.name, found.version)))
    if known is not None and known.digest != fetched.digest and not replace:
        raise VersionChanged(
            f"{found.name}:{found.version} is here with {known.digest},"
            f" {client.url} offers {fetched.digest}",
            hint="a version never changes; ask the publisher, or name the digest you want",
        )
    # (6)
    subject = content.manifest
    signatures = _fetch_signatures(client, package, subject, store)
    # (7)
    listed = {referrer.digest for referrer in store.referrers(fetched.digest)}
    changed = (
        not was_whole
        or tag not in tags
        or tags[tag].digest != fetched.digest
        or any(Digest.of(data) not in listed for data, _ in signatures)
    )
    store.add([NewManifest(data) for data, _ in signatures] + [NewManifest(fetched.data, tag=tag)])
    return Pulled(
        Reference(reference.publisher, reference.name, found.version, fetched.digest, origin),
        fetched.digest,
        tag,
        content,
        tuple(bundle for _, bundle in signatures),
        changed,
    )


def _fetch(
    client: Registry, package: str, layer: Descriptor, store: ContentStore, meter: ByteMeter
) -> bytes:
    if store.has_blob(layer.digest):
        meter.advance(layer.size)
        return layer.check(store.blob(layer.digest))
    data = layer.check(client.blob(package, layer.digest, layer.size, meter.advance))
    store.put_blob(data)
    return data


def _fetch_signatures(
    client: Registry, package: str, subject: Descriptor, store: ContentStore
) -> list[tuple[bytes, bytes]]:
    """Manifests and bundles of the signatures; their blobs are in the store afterwards."""
    listed = client.referrers(package, subject.digest, BUNDLE)
    found = []
    for entry in listed[:MOST_BUNDLES]:
        data = client.manifest(package, entry.digest).data
        manifest = parse_manifest(data, "signature manifest")
        if manifest.subject is None or manifest.subject.digest != subject.digest:
            raise WrongContent(
                f"{client.url} lists {entry.digest} as a signature of {package}, but it is about"
                " something else",
            )
        layer = bundle_layer(manifest)
        config = manifest.config
        nobody = ByteMeter(0, None)
        if config.size > LARGEST_BUNDLE:
            raise WrongContent(f"{entry.digest}: a signature's config has {config.size} bytes")
        _fetch(client, package, config, store, nobody)
        found.append((data, _fetch(client, package, layer, store, nobody)))
    return found
