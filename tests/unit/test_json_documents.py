from collections.abc import Callable

import pytest

from skep.json_documents import (
    DEEPEST,
    LARGEST_DOCUMENT,
    JsonValue,
    MalformedDocument,
    base64_text,
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
        pytest.param(str(2**64).encode(), id="more-than-64-bits"),
        pytest.param(str(-(2**63) - 1).encode(), id="less-than-64-bits"),
        pytest.param(b'"\\ud800"', id="half-a-pair"),
        pytest.param(b'{"\\ud800": 1}', id="half-a-pair-in-a-key"),
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


def test_integers_of_64_bits_are_read() -> None:
    assert parse_json(f"[{2**64 - 1}, {-(2**63)}]", "x") == [2**64 - 1, -(2**63)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b'{"a": [1, {"b": NaN}]}', "x: a[1].b: NaN is no JSON number", id="nan"),
        pytest.param(b'[[{"k": 1, "k": 2}]]', "x: [0][0]: the key 'k' is there twice", id="key"),
        pytest.param(
            b'{"a\\n": {"b": 1e999}}', r"x: ['a\n'].b: a number is out of range", id="odd-name"
        ),
        pytest.param(
            b'{"a": "\\udc00"}', "x: a: a string holds half a surrogate pair", id="surrogate"
        ),
    ],
)
def test_what_is_refused_is_told_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(MalformedDocument) as caught:
        parse_json(data, "x")
    assert caught.value.message == message


def test_that_two_of_many_keys_are_equal_is_found_at_once() -> None:
    keys = ",".join(f'"{number}":0' for number in range(300_000))
    with pytest.raises(MalformedDocument, match="twice"):
        parse_json(f'{{{keys},"299999":0}}', "x")


def test_values_are_read_as_what_they_must_be() -> None:
    value = JsonValue(parse_json(b'{"a": [1, "hi", true, null, "aGk="]}', "x"), "x")["a"]
    assert [each.value for each in value.row(5)] == [1, "hi", True, None, "aGk="]
    number, text, truth, nothing, octets = value.items()
    assert (number.number(1), text.text(), truth.truth()) == (1, "hi", True)
    assert nothing.optional(JsonValue.text) is None
    assert octets.octets() == b"hi"
    assert base64_text(b"hi") == "aGk="


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda value: value["b"], id="missing"),
        pytest.param(lambda value: value["a"]["b"], id="no-object"),
        pytest.param(lambda value: value["a"].text(), id="no-text"),
        pytest.param(lambda value: value["a"].row(1), id="other-length"),
        pytest.param(lambda value: value["a"].items()[0].truth(), id="no-truth"),
        pytest.param(lambda value: value["a"].items()[0].number(0), id="too-large"),
        pytest.param(lambda value: value["a"].items()[1].number(), id="true-is-no-number"),
        pytest.param(lambda value: value["a"].items()[2].octets(), id="loose-bits"),
    ],
)
def test_values_of_another_type_are_refused(read: Callable[[JsonValue], object]) -> None:
    with pytest.raises(MalformedDocument, match=r"^x: "):
        read(JsonValue({"a": [1, True, "aGl="]}, "x"))
