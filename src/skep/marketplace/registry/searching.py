"""Finding packages by words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from skep.errors import UsageError
from skep.marketplace.registry.ports import SearchingCatalogue
from skep.marketplace.registry.records import SearchHit
from skep.packages.wire.search_answer import MOST_HITS

_WORD = re.compile(r"[^\W_]+")
_LONGEST = 200  # characters of a question
_MOST_WORDS = 16


@dataclass(frozen=True, slots=True)
class Searching:
    """The use case.

    Attributes:
        catalogue: what is published.
    """

    catalogue: SearchingCatalogue

    def search(self, text: str, limit: int = 20) -> Sequence[SearchHit]:
        """Packages in which every word of ``text`` begins some word, best first.

        Nothing in ``text`` is an operator: only its letters and digits reach the index.

        Raises:
            UsageError: the text is too long, or the limit is out of range.
        """
        if not 1 <= limit <= MOST_HITS:
            raise UsageError(f"expected a limit from 1 to {MOST_HITS}, got {limit}")
        if len(text) > _LONGEST:
            raise UsageError(f"expected at most {_LONGEST} characters to search for")
        words = _WORD.findall(text.casefold())
        if not words and text.strip():
            return ()
        return self.catalogue.search(words[:_MOST_WORDS], limit)
