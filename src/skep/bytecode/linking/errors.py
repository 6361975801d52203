"""Why an object cannot be linked."""

from skep.errors import Malformed, Refused, Unsupported, UsageError


class CannotLink(Unsupported):
    """The object is valid, but what it needs cannot be provided here."""


class SettingRequired(UsageError):
    """The object leaves something open that only the caller can decide."""


class UnknownName(UsageError):
    """A setting names a program, map or variable that the object does not have."""


class UnfitSetting(UsageError):
    """A setting names something that exists, with a value it cannot take."""


class CorruptRelocation(Malformed):
    """A CO-RE record does not fit the instruction or the types it is about."""


class PlanMismatch(Refused):
    """A load plan is not what its object and the kernel say: it is not loaded."""
