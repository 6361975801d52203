"""What can be wrong with a package and with what people say about one."""

from skep.errors import Malformed, NotFound, Refused, Unsupported, Untrusted, UsageError


class MalformedReference(UsageError):
    """Text does not name a package."""


class MalformedMetadata(Malformed):
    """A ``skep.toml`` is not what the format demands; ``detail`` lists every problem."""


class MalformedPackage(Malformed):
    """Content is not a package: missing, doubled, oversized or misnamed parts."""


class UnsupportedPackage(Unsupported):
    """A package of a later format than this version of Skep reads."""


class WrongContent(Untrusted):
    """The content is intact, but it is not the package that was asked for."""


class WrongSetting(UsageError):
    """The text is not a value of the setting's type."""


class UnknownSetting(UsageError):
    """The package has no setting of this name."""


class UnusableSetting(Malformed):
    """The package's own map or variable cannot hold the setting: the publisher's mistake."""


class UnknownProgram(NotFound):
    """The package has no program of this name."""


class Unloadable(Refused):
    """No kernel loads a program of the package."""
