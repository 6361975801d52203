"""Which marketplace a command means, and asking it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from skep.cli.environment import Environment
from skep.packages.client.errors import MarketplaceUnavailable
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.local.marketplaces import Marketplace, Marketplaces, read_configuration


def known_marketplaces(environment: Environment) -> Marketplaces:
    """What the user's file, the node's file and the environment say.

    Raises:
        MalformedConfiguration, UnsupportedConfiguration, StoreNotAccessible: a file cannot be read.
    """
    return Marketplaces(
        read_configuration(environment.user_marketplaces),
        read_configuration(environment.node_marketplaces),
        environment.marketplace,
    )


def meant_marketplace(environment: Environment, option: str | None) -> Marketplace:
    """The marketplace ``--marketplace`` names, else the default one."""
    known = known_marketplaces(environment)
    return known.find(option) if option else known.default()


@contextmanager
def connected(marketplace: Marketplace) -> Iterator[MarketplaceClient]:
    """A client of a marketplace.

    Raises:
        MarketplaceUnavailable: in the block; says so if nobody chose the marketplace.
    """
    with closing(MarketplaceClient(marketplace.url, called=marketplace.short)) as client:
        try:
            yield client
        except MarketplaceUnavailable as error:
            if marketplace.is_chosen:
                raise
            if marketplace.others:
                raise MarketplaceUnavailable(
                    f"no marketplace is the default of {', '.join(marketplace.others)}, and none"
                    f" runs at {marketplace.url}",
                    hint=f"skep marketplace default {marketplace.others[0]}",
                ) from error
            raise MarketplaceUnavailable(
                f"no marketplace is configured, and none runs at {marketplace.url}",
                hint="skep marketplace add public https://market.example",
            ) from error
