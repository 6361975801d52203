"""An operator names marketplaces, decides whom to trust, and gets what a reference says."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.commands import Ran, Skep, publish_bundled
from tests.builders.trust import signer
from tests.fakes.registry import running_fake_registry

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="attaching programs needs root")
LOOPBACK = "xdp:lo"  # without --yes nothing is loaded: what comes before consent is tested


def refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, f"{ran.code}: {ran.out}\n{ran.err}"
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err, ran.err


def fingerprint_of(skep: Skep) -> str:
    """Of the key ``author`` of a root directory."""
    own = skep.ok("keys", "list", "--json").document["own"]
    assert isinstance(own, list)
    return str(own[0]["fingerprint"])


@pytest.fixture
def operator(tmp_path: Path) -> Skep:
    """Somebody on another machine: nothing configured, nobody trusted."""
    return Skep(tmp_path / "operator")


@pytest.fixture
def fingerprint(skep: Skep) -> str:
    return fingerprint_of(skep)


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Skep]:
    """A marketplace of somebody else's, with a publisher ``skep`` and a key of its own."""
    folder = tmp_path_factory.mktemp("evil")
    author = Skep(folder / "root")
    (layout,) = publish_bundled(author, folder / "projects", "port-filter")
    with author.serving("--publisher", f"skep={author.root / 'keys' / 'author.pub'}") as commands:
        commands.ok("publish", layout)
        yield commands


def host_of(skep: Skep) -> str:
    return skep.url.removeprefix("http://")


# Marketplaces have names


def test_marketplaces_are_added_listed_chosen_and_removed(operator: Skep, skep: Skep) -> None:
    added = operator.ok("marketplace", "add", "public", skep.url, "--json").document
    assert (added["name"], added["is_default"], added["changed"]) == ("public", True, True)
    assert "unchanged" in operator.ok("marketplace", "add", "public", skep.url).out
    operator.ok("marketplace", "add", "lab", "https://lab.example")
    text = operator.ok("marketplace", "list").out
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["public", skep.url, "user,", "default"],
        ["lab", "https://lab.example", "user"],
    ]
    operator.ok("marketplace", "default", "lab")
    listed = operator.ok("marketplace", "list", "--json").document
    assert listed["schema"] == "skep.dev/marketplace-list/1"
    assert listed["default"] == {
        "name": "lab",
        "url": "https://lab.example",
        "is_chosen": True,
        "is_from_environment": False,
    }
    assert operator.ok("marketplace", "remove", "lab", "--json").document["is_removed"]
    refused(operator("marketplace", "remove", "lab"), 4, "it has: public")
    refused(operator("marketplace", "default", "lab"), 4, "skep marketplace add lab https:")


@needs_root
def test_the_nodes_marketplaces_are_everybodys_and_the_users_win(
    operator: Skep, skep: Skep
) -> None:
    operator.ok("marketplace", "add", "public", "https://node.example", "--node")
    assert (operator.root / "marketplaces.toml").exists()
    assert "https://node.example  node, default" in operator.ok("marketplace", "list").out
    operator.ok("marketplace", "add", "public", skep.url)
    assert f"{skep.url}  user, default" in operator.ok("marketplace", "list").out
    assert operator.ok("search", "limits", "--json").document["marketplace"] == skep.url
    told = replace(operator, url="https://other.example").ok("marketplace", "list").out
    assert "default: https://other.example, by SKEP_MARKETPLACE" in told


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("add", "a.b", "https://a.example"), 2, id="name-like-a-host"),
        pytest.param(("add", "public", "http://far.example"), 2, id="plain-http"),
        pytest.param(("add", "public", "far.example"), 2, id="no-url"),
        pytest.param(("remove", "public"), 4, id="remove-unknown"),
        pytest.param(("default", "public"), 4, id="default-unknown"),
    ],
)
def test_what_cannot_be_a_marketplace_is_refused(
    operator: Skep, arguments: tuple[str, ...], code: int
) -> None:
    refused(operator("marketplace", *arguments), code, "hint:")
    assert not (operator.root / "configuration" / "skep" / "marketplaces.toml").exists()


def test_a_damaged_file_is_told_with_its_path(operator: Skep) -> None:
    path = operator.root / "configuration" / "skep" / "marketplaces.toml"
    path.parent.mkdir(parents=True)
    path.write_text("version = 1\n[marketplaces.x]\nurl = 3\n")
    refused(operator("search", "x"), 3, str(path), "marketplaces.x")


def test_without_a_marketplace_the_error_says_how_to_add_one(operator: Skep) -> None:
    # Port 8750 may be in use on the machine that runs the tests.
    ran = operator("pull", "nobody/nothing")
    assert ran.code in {4, 9}
    if ran.code == 9:
        assert "skep marketplace add public https:" in ran.err


# A reference is what it says


def test_a_name_and_a_host_in_a_reference_are_asked(operator: Skep, skep: Skep) -> None:
    operator.ok("marketplace", "add", "public", skep.url)
    operator.ok("marketplace", "add", "elsewhere", "https://127.0.0.1:9")
    operator.ok("marketplace", "default", "elsewhere")
    for place in ("public", host_of(skep)):
        reference = f"{place}/skep/port-filter"
        assert operator.ok("show", reference, "--json").document["version"] == "1.0.0"
        pulled = operator.ok("pull", reference, "--json")
        assert pulled.document["marketplace"] == skep.url
        assert "from public" in operator.ok("pull", reference).out
        assert operator.ok("inspect", reference, "--json").document["package"]
    refused(operator("pull", "127.0.0.1:9/skep/port-filter"), 9, "127.0.0.1:9")


def test_a_place_that_cannot_be_asked_is_refused_and_not_ignored(
    operator: Skep, skep: Skep
) -> None:
    operator.ok("marketplace", "add", "public", skep.url)
    for command in ("pull", "show"):
        refused(operator(command, "nowhere/skep/port-filter"), 4, "nowhere")
        refused(
            operator(command, "h.example/skep/port-filter", "--marketplace", "public"),
            2,
            "h.example",
            "--marketplace",
        )
    refused(operator("install", "nowhere/skep/port-filter", "--on", LOOPBACK), 4, "nowhere")


@needs_root
@pytest.mark.parametrize("command", ["install", "pull", "show", "inspect", "verify"])
def test_a_digest_does_not_stand_in_for_the_name(skep: Skep, command: str) -> None:
    other = str(skep.ok("pull", "skep/ratelimiting", "--json").document["digest"])
    more = ("--on", LOOPBACK) if command == "install" else ()
    ran = skep(command, f"skep/port-filter@{other}", *more)
    if command in {"pull", "show"}:  # the marketplace has no such digest under that name
        refused(ran, 4)
    else:
        refused(ran, 6, "expected skep/port-filter", "is skep/ratelimiting 1.0.0")


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_a_digest_does_not_stand_in_for_the_version(skep: Skep, command: str) -> None:
    digest = skep.ok("pull", "skep/ratelimiting", "--json").document["digest"]
    skep.ok(command, f"skep/ratelimiting:1.0.0@{digest}")
    refused(skep(command, f"skep/ratelimiting:1.0.1@{digest}"), 6, "skep/ratelimiting 1.0.1")


def test_what_one_marketplace_served_does_not_answer_for_another(
    operator: Skep, skep: Skep, evil: Skep
) -> None:
    operator.ok("pull", f"{host_of(evil)}/skep/port-filter:1.0.0")
    good = replace(operator, url=skep.url)
    refused(
        good("inspect", "skep/port-filter:1.0.0"),
        4,
        f"from another place there is {host_of(evil)}/skep/port-filter:1.0.0",
    )
    refused(good("verify", f"{host_of(skep)}/skep/port-filter"), 4)
    good.ok("pull", "skep/port-filter:1.0.0")
    good.ok("inspect", "skep/port-filter:1.0.0")


@needs_root
def test_a_digest_does_not_stand_in_for_the_place(operator: Skep, skep: Skep, evil: Skep) -> None:
    digest = operator.ok("pull", f"{host_of(skep)}/skep/ratelimiting", "--json").document["digest"]
    wanted = f"{host_of(evil)}/skep/ratelimiting@{digest}"
    install = ("install", wanted, "--on", LOOPBACK, "--insecure-accept-unsigned")
    refused(operator(*install), 4, "skep/ratelimiting")
    refused(operator(*install, "--offline"), 4, "was never asked for", host_of(skep))
    refused(operator("verify", wanted), 4, "was never asked for")


def test_where_no_marketplace_is_the_default_the_error_says_so(operator: Skep, skep: Skep) -> None:
    operator.ok("marketplace", "add", "first", "https://first.example")
    operator.ok("marketplace", "add", "second", skep.url)
    removed = operator.ok("marketplace", "remove", "first")
    assert "skep marketplace default second" in removed.err
    ran = operator("search", "x")
    if ran.code == 9:  # port 8750 may be in use on the machine that runs the tests
        assert "no marketplace is the default" in ran.err
        assert "hint:  skep marketplace default second" in ran.err


# Whom to trust


@needs_root
def test_an_operator_completes_trust_at_a_terminal(
    operator: Skep, skep: Skep, fingerprint: str
) -> None:
    operator.ok("marketplace", "add", "public", skep.url)
    install = ("install", "skep/port-filter", "--on", LOOPBACK)
    refused(
        operator(*install),
        6,
        f"signed by {fingerprint}; no key of skep is trusted here",
        "hint:  skep keys trust skep --from public\n",
    )
    seen = operator.at_terminal("keys", "trust", "skep", "--from", "public", keys="y\n")
    assert seen.code == 0, seen.screen
    assert f"skep at public ({skep.url}) has 1 key:\n  {fingerprint}\n" in seen.screen
    assert f"trusted for skep: {fingerprint}" in " ".join(seen.screen.split())
    document = operator.ok("keys", "list", "--json").document
    (trusted,) = json.loads(json.dumps(document["trusted"]))
    assert trusted["fingerprint"] == fingerprint
    assert trusted["origin"] == f"public ({skep.url})"
    listed = operator.ok("keys", "list").out
    assert f"from public ({skep.url})\n  {fingerprint}" in listed
    refused(operator(*install), 11, "needs consent")  # verified; only consent is missing
    again = operator.at_terminal("keys", "trust", "skep", "--from", "public", keys="")
    assert again.code == 0
    assert f"unchanged: {fingerprint}" in " ".join(again.screen.split())
    assert "[y/N]" not in again.screen


@pytest.mark.parametrize("keys", ["n\n", "\n", "\x04", "yess\n"])
def test_anything_but_yes_trusts_nobody(operator: Skep, skep: Skep, keys: str) -> None:
    seen = operator.at_terminal("keys", "trust", "skep", "--from", skep.url, keys=keys)
    assert seen.code == 11
    assert operator.ok("keys", "list", "--json").document["trusted"] == []


@pytest.mark.parametrize("more", [(), ("--yes",)])
def test_off_a_terminal_the_key_must_be_named(
    operator: Skep, skep: Skep, fingerprint: str, more: tuple[str, ...]
) -> None:
    ran = operator("keys", "trust", "skep", "--from", skep.url, *more)
    refused(ran, 11, "--fingerprint SHA256:…")
    assert fingerprint not in ran.err, "a fingerprint to paste would be the marketplace's word"
    assert operator.ok("keys", "list", "--json").document["trusted"] == []


def test_yes_at_a_terminal_does_not_say_which_key(operator: Skep, skep: Skep) -> None:
    seen = operator.at_terminal("keys", "trust", "skep", "--from", skep.url, "--yes", keys="y\n")
    assert seen.code == 11
    assert "does not say which key" in " ".join(seen.screen.split())


def test_a_fingerprint_names_the_key(operator: Skep, skep: Skep, fingerprint: str) -> None:
    trust = ("keys", "trust", "skep", "--from", skep.url, "--fingerprint")
    refused(operator(*trust, fingerprint[:23]), 2, "64 hexadecimal digits")
    refused(operator(*trust, "SHA256:" + "0" * 64), 6, skep.url, fingerprint)
    file = skep.root / "keys" / "author.pub"
    ran = operator("keys", "trust", "skep", file, "--fingerprint", "SHA256:" + "0" * 64)
    refused(ran, 6, f"{file} has the key {fingerprint}")
    document = operator.ok(*trust, f"SHA256:{fingerprint[7:].upper()}", "--json").document
    assert document["keys"] == [{"fingerprint": fingerprint, "changed": True}]
    assert "unchanged" in operator.ok(*trust, fingerprint).out


def test_a_publisher_the_marketplace_does_not_have_is_not_found(operator: Skep, skep: Skep) -> None:
    trust = ("keys", "trust", "acme", "--from", skep.url, "--fingerprint", "SHA256:" + "0" * 64)
    refused(operator(*trust), 4, "acme")
    refused(operator("keys", "trust", "skep"), 2, "--from MARKETPLACE")
    refused(operator("keys", "trust", "skep", "x.pub", "--from", skep.url), 2, "both")


def test_trust_is_taken_back(operator: Skep, skep: Skep, fingerprint: str) -> None:
    operator.ok("keys", "trust", "skep", skep.root / "keys" / "author.pub")
    gone = operator.ok("keys", "untrust", "skep", "--json").document
    assert gone["fingerprints"] == [fingerprint]
    refused(operator("keys", "untrust", "skep"), 4, "no key of skep")
    operator.ok("keys", "trust", "skep", skep.root / "keys" / "author.pub")
    refused(operator("keys", "untrust", "skep", fingerprint[:19]), 2)
    refused(operator("keys", "untrust", "skep", "SHA256:" + "0" * 64), 4)
    operator.ok("keys", "untrust", "skep", fingerprint)
    assert operator.ok("keys", "list", "--json").document["trusted"] == []


def test_a_key_of_ones_own_is_deleted_on_purpose_only(operator: Skep) -> None:
    operator.ok("keys", "create", "mine")
    refused(operator("keys", "remove", "mine"), 11, "skep keys remove mine --yes")
    assert operator.at_terminal("keys", "remove", "mine", keys="n\n").code == 11
    assert (operator.root / "keys" / "mine.key").exists()
    assert operator.at_terminal("keys", "remove", "mine", keys="y\n").code == 0
    assert list((operator.root / "keys").iterdir()) == []
    refused(operator("keys", "remove", "mine", "--yes"), 4, "mine")


def test_the_keys_that_were_shown_are_the_ones_that_are_trusted(operator: Skep) -> None:
    shown, hidden = signer("shown").public_key, signer("hidden").public_key
    with running_fake_registry() as registry:
        registry.register("skep", shown)

        class Once(dict[str, list[dict[str, str]]]):
            """Answers with the other key from the second question on."""

            def __getitem__(self, name: str) -> list[dict[str, str]]:
                answer = super().__getitem__(name)
                registry.register("skep", hidden)
                return answer

        registry.publishers = Once(registry.publishers)
        seen = operator.at_terminal("keys", "trust", "skep", "--from", registry.url, keys="y\n")
    assert seen.code == 0, seen.screen
    assert [path for _, path in registry.requests] == ["/api/v1/publishers/skep"]
    listed = operator.ok("keys", "list").out
    assert shown.fingerprint in listed
    assert hidden.fingerprint not in listed


@pytest.mark.parametrize(
    ("key", "word"),
    [
        pytest.param({"fingerprint": "SHA256:00", "pem": "nonsense"}, "not usable", id="no-pem"),
        pytest.param(
            {"fingerprint": "\x1b[2J", "pem": signer().public_key.pem.decode()},
            signer().public_key.fingerprint,
            id="another-fingerprint",
        ),
        pytest.param({"fingerprint": "x", "pem": "x" * 10_000}, "pem", id="large"),
    ],
)
def test_a_hostile_answer_trusts_nobody(operator: Skep, key: dict[str, str], word: str) -> None:
    with running_fake_registry() as registry:
        registry.publishers["skep"] = [key]
        seen = operator.at_terminal("keys", "trust", "skep", "--from", registry.url, keys="y\n")
    assert seen.code == 3
    assert word in seen.screen
    assert "\x1b[2J" not in seen.screen
    assert operator.ok("keys", "list", "--json").document["trusted"] == []


@needs_root
def test_another_marketplaces_publisher_of_the_same_name_is_another_one(
    operator: Skep, skep: Skep, evil: Skep, fingerprint: str
) -> None:
    """Dependency confusion: the key decides, not the name, whatever the marketplace."""
    stranger = fingerprint_of(evil)
    operator.ok("keys", "trust", "skep", skep.root / "keys" / "author.pub")
    reference = f"{host_of(evil)}/skep/port-filter"
    refused(
        operator("install", reference, "--on", LOOPBACK),
        6,
        f"signed by {stranger}, which is not trusted here for skep",
        f"trusted for skep: {fingerprint}",
    )
    refused(operator("verify", reference), 6, stranger)
    seen = operator.at_terminal("keys", "trust", "skep", "--from", host_of(evil), keys="n\n")
    assert seen.code == 11
    assert "attention: skep is trusted here with another key" in seen.screen
    assert stranger in seen.screen
    assert fingerprint in seen.screen


# Asking, and doing without


@needs_root
def test_install_asks_for_the_newest_and_does_without_when_nobody_answers(
    tmp_path: Path, operator: Skep
) -> None:
    author = Skep(tmp_path / "author")
    (layout,) = publish_bundled(author, tmp_path / "projects", "port-filter")
    public = author.root / "keys" / "author.pub"
    operator.ok("keys", "trust", "skep", public)
    install = ("install", "skep/port-filter", "--on", LOOPBACK)
    with author.serving("--publisher", f"skep={public}") as commands:
        commands.ok("publish", layout)
        operator.ok("marketplace", "add", "public", commands.url)
        first = operator(*install)
        assert "pulled skep/port-filter:1.0.0 from public" in first.err

        manifest = tmp_path / "projects" / "port-filter" / "skep.toml"
        manifest.write_text(manifest.read_text().replace('"1.0.0"', '"1.1.0"'))
        newer = author.ok("build", manifest.parent, "--json").document["layout"]
        author.ok("sign", newer, "--key", "author")
        commands.ok("publish", newer)
        assert "pulled" not in operator("install", "skep/port-filter:1.0.0", *install[2:]).err
        assert "pulled skep/port-filter:1.1.0" in operator(*install).err
        assert "pull" not in operator(*install).err
    offline = operator(*install)
    refused(offline, 11, "could not reach public (", "using skep/port-filter 1.1.0 that is on this")
    # Quiet or not: whoever blocks the network chooses the version.
    assert "warning: could not reach public" in operator(*install, "-q").err
    assert "could not reach" not in operator(*install, "--offline").err
    exact = operator("install", "skep/port-filter:1.0.0", *install[2:])
    refused(exact, 11, "needs consent")
    assert "could not reach" not in exact.err
    refused(operator("install", "skep/ratelimiting", "--on", LOOPBACK), 9)


@needs_root
@pytest.mark.kernel
def test_what_is_installed_remembers_where_it_came_from(
    skep: Skep, operator: Skep, interface: str
) -> None:
    operator.ok("marketplace", "add", "public", skep.url)
    operator.ok("keys", "trust", "skep", skep.root / "keys" / "author.pub")
    on = f"xdp:{interface}"
    ran = operator.ok("install", "public/skep/port-filter", "--on", on, "--yes", "--json")
    assert ran.document["package"] == "skep/port-filter:1.0.0"
    assert ran.document["origin"] == host_of(skep)
    (listed,) = json.loads(operator.ok("list", "--json").out)["deployments"]
    assert (listed["package"], listed["origin"]) == ("skep/port-filter:1.0.0", host_of(skep))
    operator.ok("remove", "port-filter")
