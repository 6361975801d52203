"""How declared targets are read and written."""

import pytest

from skep.errors import UsageError
from skep.hooks.identity import (
    CgroupIdentity,
    FunctionIdentity,
    Identity,
    InterfaceIdentity,
    TracepointIdentity,
    identity_fields,
    parse_identity,
)
from skep.hooks.table import HookTarget, parse_hook_target


@pytest.mark.parametrize(
    ("text", "target", "namespace"),
    [
        pytest.param("xdp:eth0", "eth0", "", id="plain"),
        pytest.param("xdp:eth0@blue", "eth0", "blue", id="namespace"),
        pytest.param("xdp:eth0@netns:42", "eth0", "netns:42", id="cookie"),
        pytest.param("xdp:eth0@host", "eth0", "host", id="host"),
        pytest.param("xdp:a@b@", "a@b", "", id="at-sign-in-the-name"),
        pytest.param("xdp:" + "n" * 127, "n" * 127, "", id="longest-alternative-name"),
    ],
)
def test_a_target_is_a_name_and_perhaps_a_namespace(text: str, target: str, namespace: str) -> None:
    assert parse_hook_target(text) == HookTarget("xdp", target, namespace)


@pytest.mark.parametrize("text", ["xdp:eth0", "xdp:eth0@blue", "xdp:eth0@netns:42", "xdp:a@b@"])
def test_a_target_is_written_as_it_was_typed(text: str) -> None:
    assert str(parse_hook_target(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("xdp", id="no-target"),
        pytest.param("xdp:", id="empty"),
        pytest.param("xdp:a/b", id="slash"),
        pytest.param("xdp:a b", id="space"),
        pytest.param("xdp:..", id="dots"),
        pytest.param("xdp:" + "n" * 128, id="too-long"),
        pytest.param("xdp:eth0@a/b", id="namespace-with-slash"),
        pytest.param("xdp:eth0@netns:0", id="cookie-zero"),
        pytest.param("xdp:@blue", id="only-a-namespace"),
    ],
)
def test_what_cannot_be_a_target_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_hook_target(text)


def test_a_name_that_is_too_long_is_not_printed_but_counted() -> None:
    with pytest.raises(
        UsageError, match=r"^interface names have at most 127 characters; this one"
    ) as caught:
        parse_hook_target("xdp:" + "n" * 128)
    assert caught.value.message.endswith("has 128")


@pytest.mark.parametrize(
    "identity",
    [
        InterfaceIdentity(1, 4),
        CgroupIdentity(77),
        TracepointIdentity("sched", "sched_switch"),
        FunctionIdentity("", "tcp_connect"),
    ],
)
def test_identities_survive_being_stored(identity: Identity) -> None:
    assert parse_identity(*identity_fields(identity)) == identity


@pytest.mark.parametrize("fields", [("interface", "1"), ("interface", "x", "1"), ("planet", "3")])
def test_what_is_no_identity_is_refused(fields: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"identity|invalid literal"):
        parse_identity(*fields)
