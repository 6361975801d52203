"""Tag lists, of the OCI distribution specification.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
"""

import re
from dataclasses import dataclass

from skep.packages.fields import Fields

TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class TagList:
    """Tags of a repository, or some of them.

    Attributes:
        name: of the repository.
        tags: in the order of the answer.
    """

    name: str
    tags: tuple[str, ...]

    def to_document(self) -> dict[str, object]:
        """As JSON."""
        return {"name": self.name, "tags": list(self.tags)}


def read_tag_list(fields: Fields, name: str) -> TagList:
    """Read the answer about the repository ``name``, which need not say it."""
    if "tags" not in fields:  # some registries write null for none
        return TagList(name, ())
    return TagList(name, fields.texts("tags", "tags", lambda tag: bool(TAG.fullmatch(tag))))
