"""What can go wrong with content and configuration on this machine."""

from skep.errors import NotFound, NotPermitted, Unavailable, UsageError


class NoSuchContent(NotFound):
    """The content store has no such blob, manifest or tag."""


class NotAContentStore(UsageError):
    """The directory is there, but it is no OCI image layout."""


class StoreNotAccessible(NotPermitted):
    """This user may not read or write the content store, or the file system is read-only."""


class StoreNotWritable(Unavailable):
    """The content store cannot be written now: the disk is full or damaged."""
