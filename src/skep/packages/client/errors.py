"""What can go wrong between us and a marketplace."""

from skep.errors import (
    Conflict,
    Malformed,
    NeedsConsent,
    NotFound,
    NotPermitted,
    Refused,
    SkepError,
    Unavailable,
    Unsupported,
    Untrusted,
    UsageError,
)


class MarketplaceUnavailable(Unavailable):
    """The marketplace did not answer, not in time, or only that it cannot now."""


class MarketplaceNotFound(NotFound):
    """The marketplace has no such thing."""


class MarketplaceConflict(Conflict):
    """The marketplace has something else there already."""


class MarketplaceDistrusts(Untrusted):
    """The marketplace was not shown that the content is genuine."""


class MarketplaceRefused(Refused):
    """The marketplace's rules say no."""


class MarketplaceDenied(NotPermitted):
    """The marketplace does not let this caller do that."""


class MarketplaceUnsupported(Unsupported):
    """The marketplace cannot do that."""


class MarketplaceNeedsConsent(NeedsConsent):
    """The marketplace asks for consent first."""


class RequestRefused(UsageError):
    """The marketplace says the request is wrong."""


class ContentRefused(Malformed):
    """The marketplace says the content is malformed."""


class MalformedAnswer(Malformed):
    """An answer is not what the protocol demands: too large, truncated, no such document."""


class RedirectRefused(Refused):
    """The marketplace sends us to another host, where nothing was asked of us."""


class VersionChanged(Conflict):
    """A version that is here already is offered with other content."""


FAMILY_CLASSES: dict[str, type[SkepError]] = {
    kind.family: kind
    for kind in (
        RequestRefused,
        ContentRefused,
        MarketplaceNotFound,
        MarketplaceConflict,
        MarketplaceDistrusts,
        MarketplaceRefused,
        MarketplaceUnsupported,
        MarketplaceUnavailable,
        MarketplaceDenied,
        MarketplaceNeedsConsent,
    )
}
