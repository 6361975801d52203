import pytest

from skep.packages.oci.documents import (
    DEEPEST,
    LARGEST_DOCUMENT,
    MalformedDocument,
    canonical_json,
    parse_json,
    parse_table,
)


def test_a_document_is_parsed() -> None:
    assert parse_json(b'{"a": [1, 2.5, true, null, "\xc3\xa9"]}', "x") == {
        "a": [1, 2.5, True, None, "é"]
    }


def test_brackets_in_strings_are_no_nesting() -> None:
    assert parse_json(b'"' + b"[{" * 1000 + b'"', "x") == "[{" * 1000
    assert parse_json(b'["\\"[[", ' + b'"[\\\\"]', "x") == ['"[[', "[\\"]


def test_nesting_as_deep_as_allowed_is_parsed() -> None:
    assert parse_json(b"[" * DEEPEST + b"]" * DEEPEST, "x")


def test_siblings_are_no_nesting() -> None:
    assert len(str(parse_json(b"[" + b"[]," * 1000 + b"[]]", "x"))) > 1000


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" " * (LARGEST_DOCUMENT + 1), id="too-large"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param("{}".encode("utf-16"), id="utf-16"),
        pytest.param(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), id="too-deep"),
        pytest.param(b"[" * 1_000_000, id="a-million-deep"),
        pytest.param(b'{"a":' * 100_000, id="tables-deep"),
        pytest.param(b'["\\', id="open-escape"),
        pytest.param(b'{"a": 1, "a": 2}', id="doubled-key"),
        pytest.param(b'{"b": {"a": 1, "\\u0061": 2}}', id="doubled-behind-escape"),
        pytest.param(b"NaN", id="nan"),
        pytest.param(b"[-Infinity]", id="infinity"),
        pytest.param(b"1e999", id="number-too-large"),
        pytest.param(b"9" * 10_000, id="thousands-of-digits"),
        pytest.param(b'"\\ud800"', id="half-a-pair"),
        pytest.param(b'"\n"', id="newline-in-string"),
        pytest.param(b"{} {}", id="two-documents"),
        pytest.param(b"{'a': 1}", id="single-quotes"),
        pytest.param(b"[1,]", id="trailing-comma"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedDocument, match=r"^the thing: "):
        parse_json(data, "the thing")


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_json(b'"\\ud83d\\udc1d"', "x") == "\U0001f41d"


@pytest.mark.parametrize("data", [b"[]", b"1", b"null"])
def test_a_table_must_be_one(data: bytes) -> None:
    with pytest.raises(MalformedDocument):
        parse_table(data, "x")


def test_canonical_documents_have_one_form() -> None:
    assert canonical_json({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"a":{"c":3,"d":2},"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
