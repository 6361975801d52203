"""Where the file of a trusted key is: apart, because who only lists must not import signatures."""

from pathlib import Path

from skep.packages.names import is_publisher_name


def key_file(directory: Path, publisher: str, fingerprint: str) -> Path:
    """The file of a publisher's key.

    Args:
        directory: of all trusted keys.
        publisher: a name that was checked: without separator or dot, it leads nowhere else.
        fingerprint: ``SHA256:`` and 64 hexadecimal digits.
    """
    return directory / publisher / f"{fingerprint.removeprefix('SHA256:')}.pem"


def is_trusted(directory: Path, publisher: str, fingerprint: str) -> bool:
    """Whether a key is filed under a publisher; the file is not read.

    Raises:
        OSError: this user may not look.
    """
    return is_publisher_name(publisher) and key_file(directory, publisher, fingerprint).is_file()
