"""Reading files a person named, with errors a person understands."""

from pathlib import Path

from skep.errors import Malformed, NotFound, NotPermitted, UsageError

LARGEST = 32 * 1024 * 1024  # bytes


def read_file(path: Path, what: str, largest: int = LARGEST) -> bytes:
    """Read a whole file.

    Args:
        what: what it should be, for messages: ``a public key``.

    Raises:
        NotFound, NotPermitted, UsageError: it is not there, not ours to read, or a directory.
        Malformed: it is larger than ``largest`` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}; expected {what}") from error
    except IsADirectoryError as error:
        raise UsageError(f"expected {what}, {path} is a directory") from error
    except PermissionError as error:
        raise NotPermitted(f"{path} cannot be read by this user") from error
    if len(data) > largest:
        raise Malformed(f"expected {what} of at most {largest} bytes, {path} is larger")
    return data
