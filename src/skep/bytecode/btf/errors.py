"""The one error of the BTF readers."""

from skep.errors import Malformed


class MalformedBtf(Malformed):
    """Bytes are not BTF or BTF.ext, or their types make no sense.

    Args:
        reason: what was expected and what came.
        offset: byte in the section, ``None`` if the reason has no single place.
        hint: what to do, if it is not about an object.
    """

    def __init__(self, reason: str, *, offset: int | None = None, hint: str = "") -> None:
        place = "" if offset is None else f" (byte {offset} of the section)"
        super().__init__(
            f"not readable BTF: {reason}{place}",
            hint=hint or "compile the object again with -g; a damaged file should be fetched again",
        )
        self.reason = reason
        self.offset = offset
