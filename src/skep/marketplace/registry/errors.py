"""What can go wrong between a publisher, an operator and a marketplace."""

from skep.errors import Conflict, Malformed, NotFound, NotPermitted, Refused, Unavailable


class NameInvalid(Malformed):
    """An invalid tag, or a repository name that is not ``publisher/name``."""


class RepositoryUnknown(NotFound):
    """Nothing was published under this name."""


class BlobUnknown(NotFound):
    """There is no such blob in this repository, or it is not published."""


class ManifestUnknown(NotFound):
    """There is no such manifest or tag in this repository, or it is not published."""


class ManifestInvalid(Malformed):
    """A manifest this marketplace cannot take."""


class ManifestBlobUnknown(NotFound):
    """A manifest names a blob that was not pushed before it."""


class UploadUnknown(NotFound):
    """There is no such upload; it ended, was cancelled, or took too long."""


class UploadInvalid(Malformed):
    """An upload request contradicts itself."""


class RangeInvalid(Malformed):
    """A chunk does not begin where the last one ended."""


class TooLarge(Malformed):
    """More bytes than this marketplace takes."""


class TooMuchStaged(Unavailable):
    """Too much was pushed and not published yet."""


class PublisherUnknown(NotPermitted):
    """No publisher with this name may publish here."""


class NoSuchPublisher(NotFound):
    """There is no publisher with this name here."""


class VersionTaken(Conflict):
    """The version is published with other content; a version never changes."""


class DirectoryInUse(Conflict):
    """Another server works in the same data directory."""


class PublishRefused(Refused):
    """The package contradicts itself or where it is published to."""


class VettingRefused(Refused):
    """The review said no; the message names each rule."""
