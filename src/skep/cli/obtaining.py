"""Getting packages to this machine, with progress.

What is asked when: :mod:`skep.packages.client.obtaining`.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from skep.cli.asking import connected, known_marketplaces
from skep.cli.context import Invocation
from skep.cli.environment import Environment
from skep.cli.locating import Found, found_at
from skep.cli.output import Output
from skep.cli.progress import transfer
from skep.packages.client.obtaining import Obtained, obtain
from skep.packages.client.progress import Progress
from skep.packages.client.pulling import pull
from skep.packages.local.content_store import ContentStore
from skep.packages.local.marketplaces import Marketplace
from skep.packages.references import Reference
from skep.versions import Version


@dataclass(frozen=True, slots=True)
class PulledPackage:
    """What was pulled.

    Attributes:
        package: ``publisher/name:version``.
        digest: of its manifest.
        marketplace: it came from.
    """

    package: str
    digest: str
    marketplace: Marketplace


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
    with connected(marketplace) as client, transfer(text, output) as progress:
        if store.is_damaged and (kept := store.rebuild_index()) is not None:
            output.warn(
                "the list of packages on this machine was damaged and is made anew; the damaged one"
                f" is {kept}. To name a package that was here, pull it again"
            )
        pulled = pull(
            known.located(reference),
            client,
            store,
            progress,
            default=known.default_origin,
        )
    metadata = pulled.content.metadata
    return PulledPackage(f"{metadata.name}:{metadata.version}", str(pulled.digest), marketplace)


def obtain_package(
    reference: Reference, option: str | None, run: Invocation, *, offline: bool
) -> Found:
    """Find or fetch what a reference means, and tell on standard error what was done instead.

    Args:
        reference: as it was typed.
        option: of ``--marketplace``.
        offline: use what is on this machine, ask nobody.

    Raises:
        WrongContent: the digest is of another package than the name.
        SkepError: see :func:`skep.packages.client.obtaining.obtain`.
    """
    known = known_marketplaces(run.environment)
    marketplace = known.of(reference, option)
    located = known.located(reference)
    store = ContentStore(run.environment.content)

    def fetching(version: Version | None) -> AbstractContextManager[Progress]:
        what = f"{reference.package} {version}" if version else reference.package
        return transfer(f"pulling {what} from {marketplace.short}", run.output)

    obtained = obtain(
        located, marketplace, store, connected, fetching=fetching, may_ask=not offline
    )
    found = found_at(store, obtained.stored, located)
    _tell(obtained, found, marketplace.short, run)
    return found


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
    if obtained.is_new:
        run.output.note(f"pulled {found.reference}  {found.descriptor.digest}")
