"""What people call a marketplace, where all that is known is its host."""

from collections.abc import Callable

from skep.cli.environment import Environment
from skep.errors import SkepError


def called_in(environment: Environment) -> Callable[[str], str]:
    """A function from hosts to configured names; a host without one is called what it is."""

    def called(host: str) -> str:
        from skep.cli.asking import known_marketplaces  # loads HTTP, which few errors need

        try:
            return known_marketplaces(environment).find(host).short
        except SkepError:  # a hint must not fail for a damaged file
            return host

    return called
