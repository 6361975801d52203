import codecs
import threading
from pathlib import Path

import pytest

from skep.errors import SkepError, UsageError, codes
from skep.packages.local.errors import StoreNotWritable
from skep.packages.local.marketplaces import (
    DEFAULT_URL,
    Configuration,
    MalformedConfiguration,
    Marketplace,
    MarketplaceExists,
    Marketplaces,
    UnknownMarketplace,
    UnsupportedConfiguration,
    change_configuration,
    read_configuration,
)
from skep.packages.references import parse_reference

PUBLIC = "https://market.example"
LAB = "http://127.0.0.1:8750"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "marketplaces.toml"


def configured(default: str = "", **urls: str) -> Configuration:
    found = Configuration(Path("marketplaces.toml"))
    for name, url in urls.items():
        found = found.adding(name, url)
    return found.defaulting(default) if default else found


def known(
    user: Configuration | None = None, node: Configuration | None = None, chosen: str = ""
) -> Marketplaces:
    return Marketplaces(user or configured(), node or configured(), chosen)


# Files


def test_a_file_that_is_not_there_says_nothing(path: Path) -> None:
    assert read_configuration(path) == Configuration(path)
    assert not path.parent.exists()


def test_what_is_written_is_read(path: Path) -> None:
    written = change_configuration(
        path, lambda one: one.adding("public", PUBLIC + "/").adding("lab", LAB).defaulting("lab")
    )
    assert read_configuration(path) == written
    assert (written.urls, written.default) == ({"public": PUBLIC, "lab": LAB}, "lab")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o644
    removed = change_configuration(path, lambda one: one.removing("lab"))
    assert (removed.urls, removed.default) == ({"public": PUBLIC}, "")
    assert read_configuration(path) == removed


def test_what_a_later_skep_wrote_beside_it_survives(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(
        f'version = 1\ncolour = "red"\n[marketplaces.public]\nurl = "{PUBLIC}"\nmirror = true\n'
        "[other.table]\nx = [1, 2]\n"
    )
    change_configuration(path, lambda one: one.adding("lab", LAB).defaulting("lab"))
    document = read_configuration(path).document
    assert document["colour"] == "red"
    assert document["other"] == {"table": {"x": [1, 2]}}
    assert document["marketplaces"] == {
        "public": {"url": PUBLIC, "mirror": True},
        "lab": {"url": LAB},
    }


def test_a_link_is_followed_and_stays_one(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "kept.toml")
    change_configuration(path, lambda one: one.adding("public", PUBLIC))
    assert path.is_symlink()
    assert read_configuration(tmp_path / "kept.toml").urls == {"public": PUBLIC}


def test_those_who_change_it_at_once_wait_for_each_other(path: Path) -> None:
    threads = [
        threading.Thread(
            target=change_configuration, args=(path, lambda one, n=n: one.adding(f"m{n}", PUBLIC))
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_configuration(path).urls) == 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("version = \n", "line 1", id="no-toml"),
        pytest.param("", "version", id="empty"),
        pytest.param('version = "1"', "version", id="version-is-text"),
        pytest.param("version = true", "version", id="version-is-a-boolean"),
        pytest.param("version = 1\nmarketplaces = 3", "marketplaces", id="no-table"),
        pytest.param("version = 1\n[marketplaces]\nx = 3", "marketplaces.x", id="no-url"),
        pytest.param(
            'version = 1\n[marketplaces.x]\nurl = "http://far.example"', "https", id="plain-http"
        ),
        pytest.param(
            f'version = 1\n[marketplaces."a.b"]\nurl = "{PUBLIC}"', "marketplaces.a.b", id="a-host"
        ),
        pytest.param('version = 1\ndefault = "A"', "default", id="default-is-no-name"),
        pytest.param("x = " + "[" * 5000, "", id="deep"),
        pytest.param("#" * 70_000, "65536", id="large"),
    ],
)
def test_a_damaged_file_is_told_and_left_alone(path: Path, text: str, said: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(SkepError, match=str(path)) as caught:
        read_configuration(path)
    assert codes(caught.value).exit_code == 3
    assert said in str(caught.value)
    with pytest.raises(SkepError):
        change_configuration(path, lambda one: one.adding("public", PUBLIC))
    assert path.read_text() == text


def test_every_problem_of_a_file_is_told_at_once(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("version = 0\n[marketplaces]\nx = 3\ny = 4\n")
    with pytest.raises(MalformedConfiguration) as caught:
        read_configuration(path)
    assert len(caught.value.detail.splitlines()) == 3


def test_a_file_of_a_later_skep_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("version = 2\n")
    with pytest.raises(UnsupportedConfiguration):
        change_configuration(path, lambda one: one.adding("public", PUBLIC))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreNotWritable):
        change_configuration(tmp_path / "file" / "x.toml", lambda one: one.adding("a", PUBLIC))


# Names and URLs


@pytest.mark.parametrize("name", ["", "A", "a.b", "a:1", "localhost", "-a", "a-", "a/b", "a" * 64])
def test_what_could_be_a_host_cannot_be_a_name(name: str) -> None:
    with pytest.raises(UsageError):
        configured().adding(name, PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://market.example", id="plain-http"),
        pytest.param("http://127.0.0.1.example", id="no-loopback"),
        pytest.param("ftp://market.example", id="ftp"),
        pytest.param("market.example", id="no-scheme"),
        pytest.param("https://user@market.example", id="user"),
        pytest.param("https://market.example/?q", id="query"),
        pytest.param("https://market.example/a b", id="blank"),
        pytest.param("https://market.example/../x", id="traversal"),
        pytest.param("https://mar\nket.example", id="newline"),
    ],
)
def test_urls_that_cannot_be_a_marketplaces_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        configured().adding("public", url)


@pytest.mark.parametrize(
    "url", [PUBLIC, LAB, "http://localhost", "http://[::1]:80", "https://a.example:8443/ebpf"]
)
def test_https_and_this_machine_are_accepted(url: str) -> None:
    assert configured().adding("public", url).urls == {"public": url}


def test_a_name_keeps_its_url() -> None:
    once = configured(public=PUBLIC)
    assert once.adding("public", PUBLIC).urls == once.urls
    with pytest.raises(MarketplaceExists, match=r"market\.example"):
        once.adding("public", "https://evil.example")
    with pytest.raises(UnknownMarketplace, match="lab"):
        once.removing("lab")


# Which one is meant


def test_nobody_chose_the_marketplace_on_this_machine() -> None:
    assert known().default() == Marketplace(DEFAULT_URL, is_chosen=False)
    assert known().default_origin is None


def test_the_users_file_wins_over_the_nodes_and_the_environment_over_both() -> None:
    node = configured("public", public="https://node.example", lab="https://lab.example")
    user = configured("public", public=PUBLIC)
    assert known(node=node).default() == Marketplace("https://node.example", "public")
    assert known(user, node).default() == Marketplace(PUBLIC, "public")
    assert known(user, node, "lab").default() == Marketplace("https://lab.example", "lab")
    assert known(user, node, LAB).default() == Marketplace(LAB)
    assert known(user, node).default_origin == "market.example"


def test_a_users_default_may_be_one_of_the_nodes() -> None:
    made = known(configured("lab"), configured(lab=LAB))
    assert made.default() == Marketplace(LAB, "lab")
    with pytest.raises(UnknownMarketplace, match="lab"):
        known(configured("lab")).default()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("public", Marketplace(PUBLIC, "public"), id="name"),
        pytest.param(PUBLIC + "/", Marketplace(PUBLIC, "public"), id="url-of-a-name"),
        pytest.param("Market.Example", Marketplace(PUBLIC, "public"), id="host-of-a-name"),
        pytest.param("other.example", Marketplace("https://other.example"), id="host"),
        pytest.param("localhost:9", Marketplace("http://localhost:9"), id="loopback"),
        pytest.param("http://h.example:8080", Marketplace("http://h.example:8080"), id="url"),
    ],
)
def test_a_marketplace_is_found_as_people_name_it(text: str, expected: Marketplace) -> None:
    assert known(configured(public=PUBLIC)).find(text) == expected


@pytest.mark.parametrize(
    "text", ["", "A", "a/b", "h.example/../x", "http://", "http://u@h.example"]
)
def test_other_texts_name_none(text: str) -> None:
    with pytest.raises(UsageError):
        known().find(text)
    with pytest.raises(UnknownMarketplace):
        known().find("public")


def test_a_name_the_user_gave_to_another_place_hides_the_nodes() -> None:
    made = known(configured(public=PUBLIC), configured(public="https://node.example"))
    assert made.find("node.example") == Marketplace("https://node.example")


def test_a_host_in_a_reference_is_asked() -> None:
    made = known(configured("public", public=PUBLIC))
    assert made.of(parse_reference("h.example/skep/a")) == Marketplace("https://h.example")
    assert made.of(parse_reference("public/skep/a")) == Marketplace(PUBLIC, "public")
    assert made.of(parse_reference("skep/a")) == Marketplace(PUBLIC, "public")
    assert made.of(parse_reference("skep/a"), LAB) == Marketplace(LAB)
    with pytest.raises(UnknownMarketplace) as caught:
        made.of(parse_reference("lab/skep/a"))
    assert "skep marketplace add lab https:" in caught.value.hint


def test_the_environment_says_how_its_host_is_asked() -> None:
    made = known(chosen="http://h.example:8080")
    assert made.of(parse_reference("h.example:8080/skep/a")).url == "http://h.example:8080"
    assert made.of(parse_reference("h.example/skep/a")).url == "https://h.example"


def test_a_reference_and_an_option_that_disagree_are_refused() -> None:
    made = known(configured("public", public=PUBLIC))
    reference = parse_reference("h.example/skep/a")
    with pytest.raises(UsageError, match=r"h\.example.*market\.example"):
        made.of(reference, "public")
    with pytest.raises(UsageError):
        made.of(parse_reference("public/skep/a"), "https://h.example")
    assert made.of(reference, "https://h.example") == Marketplace("https://h.example")
    assert made.of(parse_reference("market.example/skep/a"), "public").name == "public"


def test_a_name_in_a_reference_becomes_its_host() -> None:
    made = known(configured(public=PUBLIC))
    assert str(made.located(parse_reference("public/skep/a"))) == "market.example/skep/a"
    assert str(made.located(parse_reference("skep/a"))) == "skep/a"


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "marketplaces.toml"
    path.write_bytes(codecs.BOM_UTF8 + b"version = 1\n")
    assert read_configuration(path).urls == {}


def test_a_key_of_many_parts_is_refused_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "marketplaces.toml"
    path.write_text(".".join("a" * 100) + " = 1\n")
    with pytest.raises(MalformedConfiguration, match=r"marketplaces\.toml, line 1"):
        read_configuration(path)


def test_where_none_is_the_default_those_there_are_are_known() -> None:
    assert known(configured(second=LAB, first=PUBLIC)).default().others == ("first", "second")
    assert known().default().others == ()
