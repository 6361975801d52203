import re
import time

import pytest
from tests.builders.packages import metadata_toml

from skep.packages.errors import MalformedMetadata, UnknownProgram, UnknownSetting
from skep.packages.metadata import BuildMetadata, ProgramMetadata, parse_metadata
from skep.packages.metrics import MetricSpec
from skep.packages.settings import SettingSpec
from skep.packages.toml_documents import LARGEST_METADATA, MOST_KEY_PARTS
from skep.versions import Version

PRODUCT = b"""
[package]
name = "skep/ratelimiting"
version = "1.2.0"
summary = "Limits new TCP connections per second and port"
licence = "GPL-2.0-only OR BSD-2-Clause"
categories = ["network/limits"]

[build]
sources = ["ratelimiting.bpf.c"]
compiler = "zig==0.17.1"

[[program]]
name = "ratelimiting"
hook = "xdp"
chain = { run_on = ["pass", "tx"] }

[settings.rate]
type = "rate"
map = "rl_config"
default = "1000/s"
minimum = 1
maximum = "1M/s"
help = "connections per second"

[settings.ports]
type = "set[port]"
map = "rl_ports"
default = [80, 443]

[settings.strict]
type = "boolean"
global = "strict"
default = true

[metrics.dropped]
map = "rl_drop_count"
key = 1
kind = "counter"
help = "connections dropped"
"""


def problems(toml: bytes) -> list[str]:
    with pytest.raises(MalformedMetadata) as caught:
        parse_metadata(toml)
    return [re.sub(r"^skep\.toml(:\d+)?: ", "", line) for line in caught.value.detail.splitlines()]


def test_the_document_of_the_product_is_read_as_a_whole() -> None:
    metadata = parse_metadata(PRODUCT)
    assert (metadata.name, metadata.publisher) == ("skep/ratelimiting", "skep")
    assert metadata.version == Version(1, 2, 0)
    assert metadata.licence == "GPL-2.0-only OR BSD-2-Clause"
    assert metadata.categories == ("network/limits",)
    assert metadata.build == BuildMetadata(("ratelimiting.bpf.c",), "zig==0.17.1")
    assert metadata.programs == (ProgramMetadata("ratelimiting", "xdp", ("pass", "tx")),)
    assert metadata.settings == (
        SettingSpec(
            "rate",
            "rate",
            map="rl_config",
            default="1000/s",
            help="connections per second",
            minimum=1,
            maximum=1_000_000,
        ),
        SettingSpec("ports", "set[port]", map="rl_ports", default="80,443"),
        SettingSpec("strict", "boolean", variable="strict", default="true"),
    )
    assert metadata.metrics == (
        MetricSpec("dropped", "rl_drop_count", 1, "counter", "connections dropped"),
    )
    assert metadata.warnings == ()


def test_a_program_without_run_on_gets_its_hooks_default() -> None:
    assert parse_metadata(metadata_toml()).programs[0].run_on == ("pass",)


def test_an_empty_run_on_means_never() -> None:
    metadata = parse_metadata(metadata_toml(more="chain = {run_on = []}"))
    assert metadata.programs[0].run_on == ()


def test_programs_and_settings_are_found_by_name() -> None:
    metadata = parse_metadata(PRODUCT)
    assert metadata.program("ratelimiting").hook == "xdp"
    assert metadata.setting("rate").map == "rl_config"


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    metadata = parse_metadata(PRODUCT)
    with pytest.raises(UnknownSetting) as unknown_setting:
        metadata.setting("raet")
    assert "rate, ports, strict" in unknown_setting.value.hint
    with pytest.raises(UnknownProgram) as unknown_program:
        metadata.program("nobody")
    assert "ratelimiting" in unknown_program.value.hint


def test_unknown_fields_are_kept_and_warned_about() -> None:
    toml = metadata_toml(more='since = 1\n[userspace]\ncommand = ["exporter"]')
    metadata = parse_metadata(toml)
    assert dict(metadata.unknown) == {
        "userspace": {"command": ["exporter"]},
        "program[0].since": 1,
    }
    assert all("not known to this version" in warning for warning in metadata.warnings)


def test_all_problems_are_reported_together_each_with_its_path() -> None:
    found = problems(
        b"""
        [package]
        name = "Skep/x"
        version = "1"
        licence = 3
        categories = ["Network"]
        [build]
        sources = ["../x.c"]
        compiler = "gcc"
        libbpf = "mine"
        [[program]]
        name = "a b"
        hook = "xpd"
        [[program]]
        name = "p"
        hook = "xdp"
        chain = {run_on = ["pas"]}
        [settings.a]
        type = "float"
        map = "m"
        [settings.b]
        type = "u8"
        default = 256
        [metrics.c]
        kind = "histogram"
        """
    )
    paths = [problem.partition(": ")[0] for problem in found]
    assert sorted(paths) == [
        "build.compiler",
        "build.libbpf",
        "build.sources[0]",
        "metrics.c.kind",
        "metrics.c.map",
        "package.categories[0]",
        "package.licence",
        "package.name",
        "package.summary",
        "package.version",
        "program[0].hook",
        "program[0].name",
        "program[1].chain.run_on[0]",
        "settings.a.type",
        "settings.b.default",
        "settings.b.map",
    ]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        pytest.param(b'"1.2.0"', b'""', "package.version", id="empty-version"),
        pytest.param(b'"1.2.0"', b'"1.2.0+x"', "package.version", id="build-metadata"),
        pytest.param(b'"skep/', b'"a/b/', "package.name", id="three-parts"),
        pytest.param(b"Limits new", b"\\u001b[31m", "package.summary", id="terminal-escape"),
        pytest.param(b"Limits new", b"one\\ntwo", "package.summary", id="two-lines"),
        pytest.param(b"Limits new", b"x" * 300, "package.summary", id="long-summary"),
        pytest.param(b'["pass", "tx"]', b'"pass"', "program[0].chain.run_on", id="no-list"),
        pytest.param(b'["pass", "tx"]', b"[2]", "program[0].chain.run_on[0]", id="number"),
        pytest.param(
            b'["pass", "tx"]', b'["pass","pass"]', "program[0].chain.run_on[1]", id="twice"
        ),
        pytest.param(b'"rl_config"', b'"../x"', "settings.rate.map", id="odd-map"),
        pytest.param(b'"1000/s"', b'"1000"', "settings.rate.default", id="wrong-default"),
        pytest.param(b'"1000/s"', b'"2M/s"', "settings.rate.default", id="default-over-maximum"),
        pytest.param(b"minimum = 1", b'minimum = "2M/s"', "settings.rate.minimum", id="over"),
        pytest.param(b"minimum = 1", b"minimum = true", "settings.rate.minimum", id="bool-bound"),
        pytest.param(b"minimum = 1", b"minimum = -1", "settings.rate.minimum", id="negative"),
        pytest.param(b'global = "strict"', b"", "settings.strict.map", id="nowhere"),
        pytest.param(
            b'global = "strict"', b'global = "a"\nmap = "b"', "settings.strict.map", id="two-places"
        ),
        pytest.param(b'map = "rl_ports"', b'global = "x"', "settings.ports.global", id="set"),
        pytest.param(
            b'map = "rl_ports"', b'map = "x"\nkey = 1', "settings.ports.key", id="set-key"
        ),
        pytest.param(b"key = 1", b"key = -1", "metrics.dropped.key", id="negative-key"),
        pytest.param(b"[settings.rate]", b'[settings."a b"]', "settings.a b", id="setting-name"),
    ],
)
def test_one_wrong_field_is_named(old: bytes, new: bytes, path: str) -> None:
    assert old in PRODUCT
    assert [problem.partition(": ")[0] for problem in problems(PRODUCT.replace(old, new, 1))] == [
        path
    ]


def test_two_programs_of_one_name_are_refused() -> None:
    (problem,) = problems(metadata_toml(more='[[program]]\nname = "prog"\nhook = "xdp"'))
    assert problem.startswith("program[1].name")


def test_a_package_without_programs_is_refused() -> None:
    (problem,) = problems(metadata_toml().partition(b"[[program]]")[0])
    assert problem.startswith("program: ")


@pytest.mark.parametrize(
    "toml",
    [
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b"[package", id="not-toml"),
        pytest.param(b"a = 1\na = 2", id="doubled-key"),
        pytest.param(b" " * (LARGEST_METADATA + 1), id="too-large"),
        pytest.param(b"a = " + b"[" * 20_000, id="deep-list"),
        pytest.param(b"a = " + b"[" * 20 + b"]" * 20, id="twenty-lists"),
        pytest.param(b"a = " + b"9" * 5000, id="huge-number"),
    ],
)
def test_what_is_no_sensible_toml_is_refused(toml: bytes) -> None:
    with pytest.raises(MalformedMetadata):
        parse_metadata(toml)


@pytest.mark.parametrize(
    "toml",
    [
        pytest.param(b"a = 1\nb = " + b"[" * 20_000, id="lists"),
        pytest.param(b"a = 1\nb = " + b"{a = " * 10_000, id="tables"),
        pytest.param(b"a = 1\nb = " + b"[{a = " * 9 + b"1" + b"}]" * 9, id="both"),
    ],
)
def test_nesting_is_refused_with_its_line(toml: bytes) -> None:
    with pytest.raises(MalformedMetadata, match=r"^skep\.toml, line 2: expected at most 16 levels"):
        parse_metadata(toml)


def test_brackets_in_texts_and_comments_are_no_nesting() -> None:
    more = f'# {"[" * 50}\nnote = "{"{" * 50}"\n'
    assert len(parse_metadata(metadata_toml(more=more)).unknown) == 1


@pytest.mark.parametrize(
    "more",
    [
        pytest.param('[metrics.m]\nmap = "m"\nkind = "gauge"\nkey = -1', id="key-of-a-metric"),
        pytest.param('[settings.s]\ntype = "u8"\nmap = "m"\nkey = -1', id="key-of-a-setting"),
        pytest.param('[settings.s]\ntype = "u8"\nmap = "m"\ndefault = -1', id="default"),
    ],
)
def test_a_number_out_of_bounds_is_told_them(more: str) -> None:
    (problem,) = problems(metadata_toml(more=more))
    assert f"a whole number from 0 to {2**64 - 1}" in problem
    assert problem.endswith("got -1")


# tomllib needs memory in the square of a key's parts: 30,000 parts are 4 GB (see toml_documents).
@pytest.mark.parametrize(
    "toml",
    [
        pytest.param("a." * 30_000 + "a=1", id="bare"),
        pytest.param("'a'." * 10_000 + "a=1", id="literal"),
        pytest.param('"a" . ' * 10_000 + "a=1", id="quoted-and-spaced"),
        pytest.param("[" + "a." * 30_000 + "a]", id="header"),
        pytest.param("x = {" + "a." * 30_000 + "a=1}", id="inline"),
        pytest.param('"=".' * 15_000 + "a=1", id="equals-sign-inside"),
        pytest.param('x = ["""\n# """", {' + "a." * 20_000 + 'a=""}]', id="hidden-behind-string"),
        pytest.param("x = ['''''''', {" + "a." * 20_000 + "a='']", id="hidden-behind-literal"),
    ],
)
def test_keys_of_thousands_of_parts_never_reach_the_parser(toml: str) -> None:
    started = time.process_time()  # of this process alone: others may be at work
    with pytest.raises(MalformedMetadata, match=f"at most {MOST_KEY_PARTS} parts|not TOML"):
        parse_metadata(toml.encode())
    assert time.process_time() - started < 10


def test_dots_in_texts_and_comments_are_no_keys() -> None:
    dots = "a." * 50
    more = f"# {dots}\nnote = \"{dots}\"\nother = '{dots}'\nlong = '''\n{dots}\n'''"
    assert len(parse_metadata(metadata_toml(more=more)).unknown) == 3


def test_a_flood_of_problems_is_cut() -> None:
    more = "\n".join(f"[settings.s{number}]" for number in range(64))
    assert len(problems(metadata_toml(more=more))) == 50


def test_too_many_settings_are_refused() -> None:
    more = "\n".join(f'[settings.s{number}]\ntype="u8"\nmap="m"' for number in range(65))
    (problem,) = problems(metadata_toml(more=more))
    assert problem == "settings: expected at most 64 tables, got 65"


def test_a_byte_order_mark_is_read_over() -> None:
    assert parse_metadata(b"\xef\xbb\xbf" + PRODUCT) == parse_metadata(PRODUCT)


def test_only_one_byte_order_mark_is() -> None:
    with pytest.raises(MalformedMetadata, match="not TOML"):
        parse_metadata(b"\xef\xbb\xbf" * 2 + PRODUCT)
