"""The one error of the reader."""

from skep.errors import Malformed


class MalformedObject(Malformed):
    """Bytes are not an eBPF object file that can be understood.

    Args:
        reason: what was expected and what came.
        offset: byte in the file, ``None`` if the reason has no single place.
        hint: what to do, if more is known than usual.
    """

    def __init__(self, reason: str, *, offset: int | None = None, hint: str = "") -> None:
        place = "" if offset is None else f" (byte {offset} of the file)"
        super().__init__(
            f"not a readable eBPF object: {reason}{place}",
            hint=hint
            or "compile it again for a BPF target; a damaged file should be fetched again",
        )
        self.reason = reason
        self.offset = offset
