"""Finding packages by words and filters."""

from collections.abc import Sequence
from dataclasses import dataclass

from skep.errors import UsageError
from skep.marketplace.registry.ports import SearchingCatalogue
from skep.marketplace.registry.records import SearchHit
from skep.packages.wire.search_answer import MOST_HITS
from skep.packages.wire.search_query import parse_query


@dataclass(frozen=True, slots=True)
class Searching:
    """The use case.

    Attributes:
        catalogue: what is published.
    """

    catalogue: SearchingCatalogue

    def search(self, text: str, limit: int = 20) -> Sequence[SearchHit]:
        """Packages in which every word of ``text`` begins some word, best first.

        Raises:
            UsageError: the text is no search, or the limit is out of range.
        """
        if not 1 <= limit <= MOST_HITS:
            raise UsageError(f"expected a limit from 1 to {MOST_HITS}, got {limit}")
        query = parse_query(text)
        if query.is_void:
            return ()
        return self.catalogue.search(query.words, limit, query.filters)
