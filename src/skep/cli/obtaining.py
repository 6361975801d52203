"""Getting packages to this machine, with progress.

What is asked when: :mod:`skep.packages.client.obtaining`.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from skep.cli.asking import connected, known_marketplaces
from skep.cli.context import Invocation
from skep.cli.environment import Environment
from skep.cli.locating import Found, found_at
from skep.cli.output import Output
from skep.cli.progress import working
from skep.clock import rfc3339, system_clock
from skep.packages.client.obtaining import Obtained, obtain
from skep.packages.client.progress import Progress
from skep.packages.client.pulling import Accept, pull
from skep.packages.local.content_store import ContentStore
from skep.packages.local.heard import note_heard
from skep.packages.local.marketplaces import Marketplace
from skep.packages.local.scratch_store import ScratchStore
from skep.packages.references import Reference
from skep.versions import Version


@dataclass(frozen=True, slots=True)
class PulledPackage:
    """What was pulled.

    Attributes:
        package: ``publisher/name:version``.
        digest: of its manifest.
        marketplace: it came from.
        changed: this machine did not have all of it.
    """

    package: str
    digest: str
    marketplace: Marketplace
    changed: bool


def pull_package(
    reference: Reference, option: str | None, environment: Environment, output: Output
) -> PulledPackage:
    """Ask for a package, whatever is here already, and keep it in the content store.

    Args:
        reference: as it was typed.
        option: of ``--marketplace``.
    """
    known = known_marketplaces(environment)
    marketplace = known.of(reference, option)
    text = f"pulling {reference.local} from {marketplace.short}"
    store = ContentStore(environment.content)
    with connected(marketplace) as client, working(text, output) as progress:
        if store.is_damaged and (kept := store.rebuild_index()) is not None:
            output.warn(
                "the list of packages on this machine was damaged and has been rebuilt; the damaged"
                f" one is {kept}. To name a package that was here, pull it again"
            )
        pulled = pull(
            known.located(reference),
            client,
            store,
            progress,
            default=known.default_origin,
        )
    metadata = pulled.content.metadata
    if reference.version is None and reference.digest is None:
        remember(environment, marketplace, {metadata.name: metadata.version})
    return PulledPackage(
        f"{metadata.name}:{metadata.version}", str(pulled.digest), marketplace, pulled.changed
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A package that a command needs on this machine.

    Attributes:
        reference: as it was typed.
        marketplace: of ``--marketplace``.
        is_offline: use what is on this machine, ask nobody.
        is_dry_run: keep nothing of what is fetched.
    """

    reference: Reference
    marketplace: str | None = None
    is_offline: bool = False
    is_dry_run: bool = False


def obtain_package(wanted: Wanted, run: Invocation, accept: Accept) -> Found:
    """Find or fetch what a reference means, and tell on standard error what was done instead.

    Args:
        wanted: which package.
        accept: called with its metadata, as early as may be; raises if it is of no use.

    Raises:
        WrongContent: the digest is of another package than the name.
        SkepError: see :func:`skep.packages.client.obtaining.obtain`.
    """
    known = known_marketplaces(run.environment)
    reference = wanted.reference
    marketplace = known.of(reference, wanted.marketplace)
    located = known.located(reference)
    kind = ScratchStore if wanted.is_dry_run else ContentStore
    store = kind(run.environment.content)

    def fetching(version: Version | None) -> AbstractContextManager[Progress]:
        what = f"{reference.package} {version}" if version else reference.package
        return working(f"pulling {what} from {marketplace.short}", run.output)

    obtained = obtain(
        located,
        marketplace,
        store,
        connected,
        fetching=fetching,
        may_ask=not wanted.is_offline,
        accept=accept,
    )
    found = found_at(store, obtained.stored, located)
    if not wanted.is_dry_run and obtained.offered is not None:
        remember(run.environment, marketplace, {found.name: obtained.offered})
    _tell(obtained, found, marketplace.short, run)
    if obtained.is_new and not wanted.is_dry_run:
        digest = run.output.surface(run.output.err).digest(str(found.descriptor.digest))
        run.output.note(f"pulled {found.reference} from {marketplace.short}  {digest}")
    accept(found.metadata)
    return found


def remember(
    environment: Environment, marketplace: Marketplace, newest: Mapping[str, Version]
) -> None:
    """Keep what a marketplace said about newest versions, by package, for ``skep list``."""
    now = rfc3339(system_clock())
    note_heard(environment.heard, marketplace.origin, newest, now)


def _tell(obtained: Obtained, found: Found, marketplace: str, run: Invocation) -> None:
    version = obtained.stored.tag.version
    if obtained.unreachable is not None:
        # Warnings: whoever blocks the network, or answers for the marketplace, chooses a version.
        run.output.warn(
            f"could not reach {marketplace} ({obtained.unreachable.message});"
            f" using {found.name} {version} that is on this node"
        )
    elif obtained.newer is not None:
        run.output.warn(
            f"the newest version at {marketplace} is {version}; to use {obtained.newer}, which is"
            f" on this node, name it: {found.name}:{obtained.newer}"
        )
