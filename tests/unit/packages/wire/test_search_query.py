"""One parser of searches, for client and server."""

import pytest

from skep.errors import UsageError
from skep.packages.wire.search_query import FILTERS, SearchQuery, UnknownFilter, parse_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", SearchQuery(()), id="nothing"),
        pytest.param("Rate limit", SearchQuery(("rate", "limit")), id="words"),
        pytest.param("skep/rate-limit", SearchQuery(("skep", "rate", "limit")), id="a-name"),
        pytest.param("net.drop", SearchQuery(("net", "drop")), id="a-permission"),
        pytest.param("name:skep", SearchQuery((), (("name", "skep"),)), id="filter"),
        pytest.param(
            "tcp name:skep/Rate summary:new",
            SearchQuery(("tcp",), (("name", "skep"), ("name", "rate"), ("summary", "new"))),
            id="words-and-filters",
        ),
        pytest.param("10:30 ::1", SearchQuery(("10", "30", "1")), id="numbers-are-no-filters"),
        pytest.param("*** ()", SearchQuery((), is_void=True), id="nothing-to-look-for"),
    ],
)
def test_what_is_read(text: str, expected: SearchQuery) -> None:
    assert parse_query(text) == expected


@pytest.mark.parametrize(
    ("text", "said", "advised"),
    [
        pytest.param("hook:xdp", '"hook:xdp"', "skep search xdp", id="a-word-will-do"),
        pytest.param("nam:skep", '"nam:skep"', "did you mean name:skep?", id="near"),
        pytest.param("-can:net.drop", '"-can:net.drop"', "skep search net drop", id="absence"),
        pytest.param("-name:skep", '"-name:skep"', "filters: name:, summary:", id="negated"),
        pytest.param("limit licence:", '"licence:"', "filters: name:, summary:", id="empty"),
    ],
)
def test_an_unknown_filter_is_an_error_with_those_there_are(
    text: str, said: str, advised: str
) -> None:
    with pytest.raises(UnknownFilter) as caught:
        parse_query(text)
    assert caught.value.message == f"unknown filter {said}"
    assert advised in caught.value.hint
    assert all(f"{each}:" in caught.value.hint for each in FILTERS)


@pytest.mark.parametrize("text", ["name:", "name:***", "x" * 201])
def test_what_is_no_search_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_query(text)


def test_what_is_too_much_is_left_out() -> None:
    query = parse_query(" ".join(f"w{number}" for number in range(20)))
    assert len(query.words) == 16
