import pytest
from tests.builders.packages import metadata_toml

from skep.digests import Digest
from skep.errors import codes
from skep.packages.errors import WrongContent
from skep.packages.identity import check_identity
from skep.packages.metadata import parse_metadata
from skep.packages.references import parse_reference

DIGEST = Digest.of(b"manifest")
METADATA = parse_metadata(metadata_toml("c/d", "1.2.0"))


@pytest.mark.parametrize(
    "reference",
    ["c/d", "c/d:1.2.0", f"c/d@{DIGEST}", f"h.example/c/d:1.2.0@{DIGEST}", "public/c/d"],
)
def test_the_package_that_was_asked_for_is_accepted(reference: str) -> None:
    check_identity(METADATA, parse_reference(reference))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        pytest.param(f"a/b@{DIGEST}", "a/b", id="digest-of-another-package"),
        pytest.param(f"c/b@{DIGEST}", "c/b", id="another-package-of-the-publisher"),
        pytest.param(f"c/d:1.1.0@{DIGEST}", "c/d 1.1.0", id="digest-of-another-version"),
        pytest.param("c/d:1.1.0", "c/d 1.1.0", id="another-version"),
    ],
)
def test_another_one_is_refused_and_both_are_named(reference: str, expected: str) -> None:
    with pytest.raises(WrongContent) as caught:
        check_identity(METADATA, parse_reference(reference))
    assert f"expected {expected}, " in caught.value.message
    digest = parse_reference(reference).digest
    content = "the content" if digest is None else f"the content of {DIGEST}"
    assert caught.value.message.endswith(f", {content} is c/d 1.2.0")
    assert codes(caught.value).exit_code == 6
