"""Obtaining: what a reference means, from this machine if that suffices, else from a marketplace.

Nothing is asked that need not be asked:

1. A digest, or a version, that is on this machine is not asked for. If the reference names a host,
   that counts for what came from this host alone: others' content of the same digest is asked for,
   though nothing of it is fetched again.
2. Without a version, the newest one is asked for; what is here already is not fetched again.
3. If nobody chose a marketplace, what is on this machine is used as it is.
4. If the marketplace cannot be reached, the newest one that is on this machine is used, and the
   caller is told why. That is a choice: a network that cuts us off from the marketplace can keep us
   on a version we have, never bring us to one we have not, nor to one that nobody trusted signed.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from skep.errors import Misnamed
from skep.packages.client.errors import MarketplaceNotFound, MarketplaceUnavailable
from skep.packages.client.progress import Progress
from skep.packages.client.pulling import Accept, newest_version, pull
from skep.packages.client.registry import Registry
from skep.packages.local.content_store import ContentStore
from skep.packages.local.marketplaces import Marketplace
from skep.packages.oci.descriptors import Descriptor
from skep.packages.references import Reference
from skep.packages.tags import Stored, find_tag, parse_tag
from skep.versions import Version

Connect = Callable[[Marketplace], AbstractContextManager[Registry]]
"""Opens a connection to a marketplace."""

Fetching = Callable[[Version | None], AbstractContextManager[Progress | None]]
"""Around the fetching of a version, if it is known already; gives who is told of progress."""


@dataclass(frozen=True, slots=True)
class Obtained:
    """A package that is on this machine now.

    Attributes:
        stored: where it is.
        is_new: it was fetched.
        unreachable: why the marketplace could not be asked, if it could not.
        newer: a newer version that is on this machine, from the same marketplace, and is not what
            the marketplace offers now.
        offered: the newest version that the marketplace offers; ``None`` if it was not asked.
    """

    stored: Stored
    is_new: bool = False
    unreachable: MarketplaceUnavailable | None = None
    newer: Version | None = None
    offered: Version | None = None


def obtain(
    reference: Reference,
    marketplace: Marketplace,
    store: ContentStore,
    connect: Connect,
    *,
    fetching: Fetching = lambda _: nullcontext(),
    may_ask: bool = True,
    accept: Accept | None = None,
) -> Obtained:
    """Find or fetch what a reference means.

    Args:
        reference: any name of a marketplace in it became a host before.
        marketplace: whom to ask.
        store: of this machine.
        connect: opens a connection.
        fetching: entered before something is fetched, left afterwards.
        may_ask: ``False`` uses this machine alone.
        accept: see :func:`~skep.packages.client.pulling.pull`; not called for what is here.

    Raises:
        MarketplaceNotFound: nobody has it.
        MarketplaceUnavailable: it cannot be asked for, and nothing here is what was meant.
        SkepError: what came is refused; see :func:`~skep.packages.client.pulling.pull`.
    """
    default = marketplace.origin if marketplace.is_chosen else None
    here = find_tag(store.tags(), reference, default)
    is_exact = reference.version is not None or reference.digest is not None
    # (1) and (3)
    if here is not None and (is_exact or not may_ask or _is_nobodys(marketplace, reference)):
        return Obtained(here)
    if not may_ask:
        raise not_here(reference, store.tags())
    with connect(marketplace) as client:
        if here is None:
            wanted = reference if is_exact else _newest(reference, client)
            with fetching(wanted.version) as progress:
                fetched = _pull(wanted, client, store, default, (progress, accept))
            return Obtained(fetched, is_new=True, offered=None if is_exact else wanted.version)
        # (2)
        try:
            newest = newest_version(client, reference.package)
        except MarketplaceUnavailable as error:
            # (4)
            return Obtained(here, unreachable=error)
        except MarketplaceNotFound as error:
            raise MarketplaceNotFound(
                error.message,
                hint=f"{here.tag.version} is on this node: name the version to use it",
            ) from error
        wanted = replace(reference, version=newest)
        newer = here.tag.version if here.tag.version > newest else None
        known = find_tag(store.tags(), wanted, default)
        if known is not None:
            return Obtained(known, newer=newer, offered=newest)
        try:
            with fetching(newest) as progress:
                fetched = _pull(wanted, client, store, default, (progress, accept))
        except MarketplaceUnavailable as error:
            return Obtained(here, unreachable=error)
        return Obtained(fetched, is_new=True, newer=newer, offered=newest)


def not_here(reference: Reference, tags: Mapping[str, Descriptor]) -> MarketplaceNotFound:
    """The refusal of a reference that nothing on this machine is meant by.

    Args:
        reference: with a host instead of the name of a marketplace.
        tags: of the content store.
    """
    hint, more = f"skep pull {reference}", ""
    elsewhere = [
        tag
        for text, descriptor in tags.items()
        if (tag := parse_tag(text)) is not None
        and tag.package == reference.package
        and reference.version in (None, tag.version)
        and reference.digest in (None, descriptor.digest)
    ]
    if reference.host is not None and reference.digest is not None and elsewhere:
        places = ", ".join(tag.origin or "an unknown place" for tag in elsewhere)
        return MarketplaceNotFound(
            f"{reference.host} was never asked for {reference.package}@{reference.digest};"
            f" the content on this machine came from {places}",
            hint=f"skep pull {reference}",
        )
    if elsewhere:
        others = ", ".join(str(tag.reference) for tag in elsewhere)
        more = f"; from another place there is {others}"
    known = {tag.package for text in tags if (tag := parse_tag(text)) is not None}
    return MarketplaceNotFound(
        f"{reference} is not on this machine{more}",
        hint=hint,
        misnamed=Misnamed(reference.package, tuple(known)),
    )


def _is_nobodys(marketplace: Marketplace, reference: Reference) -> bool:
    return not marketplace.is_chosen and reference.host is None


def _newest(reference: Reference, client: Registry) -> Reference:
    return replace(reference, version=newest_version(client, reference.package))


def _pull(
    reference: Reference,
    client: Registry,
    store: ContentStore,
    default: str | None,
    told: tuple[Progress | None, Accept | None],
) -> Stored:
    progress, accept = told
    pulled = pull(reference, client, store, progress, default=default, accept=accept)
    found = find_tag(store.tags(), pulled.reference, default)
    if found is None:  # removed by another process since
        raise MarketplaceNotFound(f"{pulled.reference} was pulled, and is gone again")
    return found
