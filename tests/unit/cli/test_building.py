"""``skep build`` refuses what contradicts itself and what no kernel loads: real objects."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.projects import TOML, author_environment, write_project

from skep.cli.building import build_package
from skep.errors import NotFound, SkepError, codes


def refused(directory: Path, root: Path) -> SkepError:
    with pytest.raises(SkepError) as caught:
        build_package(directory, author_environment(root))
    assert not (directory / "dist").exists(), "nothing is written"
    return caught.value


def setting(text: str, name: str = "limit") -> str:
    return f"\n[settings.{name}]\n{text}\n"


GOOD = (
    setting('type = "rate"\nmap = "limits"\nkey = 3\ndefault = "10/s"')
    + setting('type = "set[port]"\nmap = "ports"', "ports")
    + setting('type = "boolean"\nglobal = "strict"', "strict")
    + setting('type = "ipv4"\nglobal = "address"', "address")
    + '\n[metrics.seen]\nmap = "counts"\nkey = 1\nkind = "counter"\n'
    + '\n[metrics.later]\nmap = "counts"\nkey = 3\nkind = "counter"\n'
    + "\n[maps.ports]\nmax_entries = 1024\n"
    + "\n[maps.counts]\nmax_entries = 4\n"
)


def test_what_agrees_is_built_and_the_same_again_is_unchanged(tmp_path: Path) -> None:
    project = write_project(tmp_path / "p", GOOD)
    environment = author_environment(tmp_path / "root")
    first = build_package(project, environment)
    again = build_package(project, environment)
    assert (first.changed, again.changed) == (True, False)
    assert first.digest == again.digest
    (project / "README.md").write_text("# Another\n")
    assert build_package(project, environment).changed


def test_a_damaged_package_is_written_again(tmp_path: Path) -> None:
    project = write_project(tmp_path / "p", GOOD)
    environment = author_environment(tmp_path / "root")
    built = build_package(project, environment)
    for blob in (built.layout / "blobs" / "sha256").iterdir():
        blob.write_bytes(b"damaged")
    assert build_package(project, environment).changed
    assert not build_package(project, environment).changed


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        pytest.param(
            setting('type = "u64"\nmap = "limit"'),
            "skep.toml:17: settings.limit.map: no object file has a map 'limit'",
            "did you mean limits?",
            id="no-map",
        ),
        pytest.param(
            setting('type = "u64"\nmap = "zzz"'),
            "skep.toml:17: settings.limit.map: no object file has a map 'zzz'",
            "maps there: counts, events, keyed, limits, paired, pairs, ports, wides",
            id="no-map-of-such-a-name",
        ),
        pytest.param(
            setting('type = "u64"\nmap = "counts"'),
            "skep.toml:17: settings.limit.map: map counts is a PERCPU_ARRAY; a setting needs a"
            " HASH, LRU_HASH or ARRAY",
            "",
            id="map-of-another-type",
        ),
        pytest.param(
            setting('type = "u64"\nmap = "limits"\nkey = 4'),
            "skep.toml:17: settings.limit.map: key 4 is past the end of map limits, which has 4",
            "",
            id="key-past-the-end",
        ),
        pytest.param(
            setting('type = "u64"\nmap = "wides"'),
            "skep.toml:17: settings.limit.map: u64 needs 1, 2, 4 or 8 bytes, a value of map wides"
            " has 16",
            "",
            id="value-of-another-size",
        ),
        pytest.param(
            setting('type = "u64"\nmap = "pairs"'),
            "skep.toml:17: settings.limit.map: u64 is one number, a value of map pairs is struct"
            " pair of 2 members",
            "",
            id="value-of-another-type",
        ),
        pytest.param(
            setting('type = "ipv6"\nmap = "limits"'),
            "skep.toml:17: settings.limit.map: ipv6 needs 16 bytes, a value of map limits has 8",
            "",
            id="address-in-a-number",
        ),
        pytest.param(
            setting('type = "set[u32]"\nmap = "ports"'),
            "skep.toml:17: settings.limit.map: set[u32] goes up to 4294967295, a key of map ports"
            " has 2 bytes",
            "choose a smaller type, or maximum = 65535",
            id="set-wider-than-its-keys",
        ),
        pytest.param(
            setting('type = "set[ipv4]"\nmap = "limits"'),
            "skep.toml:17: settings.limit.map: map limits is an ARRAY, which numbers index;"
            " set[ipv4] needs a HASH",
            "",
            id="set-of-addresses-in-an-array",
        ),
        pytest.param(
            setting('type = "u8"\nglobal = "strickt"'),
            "skep.toml:17: settings.limit.global: no object file has a global variable 'strickt'",
            "did you mean strict?",
            id="no-variable",
        ),
        pytest.param(
            setting('type = "u64"\nglobal = "strict"'),
            "skep.toml:17: settings.limit.global: u64 goes up to 18446744073709551615, variable"
            " strict has 1 bytes",
            "choose a smaller type, or maximum = 255",
            id="variable-of-another-size",
        ),
        pytest.param(
            setting('type = "integer"\nglobal = "strict"\ndefault = 300'),
            "skep.toml:17: settings.limit.global: the default 300 is 300, variable strict holds"
            " 255",
            "",
            id="default-too-large",
        ),
        pytest.param(
            setting('type = "u64"\nglobal = "fixed"'),
            "skep.toml:17: settings.limit.global: fixed is a constant whose value the compiler has"
            " used already",
            "declare it const volatile in the source, so that limit can be set",
            id="constant",
        ),
        pytest.param(
            setting('type = "u64"\nmap = "limits"') + setting('type="u64"\nmap="limits"', "other"),
            "skep.toml:21: settings.other.map: the setting limit is written to entry 0 of map"
            " limits already",
            "give each setting a place of its own",
            id="two-for-one-entry",
        ),
        pytest.param(
            "\n[maps.limit]\nmax_entries = 8\n",
            "skep.toml:15: maps.limit: no object file has a map limit that can be sized",
            "maps that can be sized: counts, events, keyed, limits, paired, pairs, ports, wides",
            id="size-of-no-map",
        ),
        pytest.param(
            "\n[maps.limits]\nmax_entries = 2\n",
            "skep.toml:16: maps.limits.max_entries: map limits: expected at least the 4 entries the"
            " object states, got 2",
            "ARRAY is indexed: the program may use every place of it",
            id="size-too-small",
        ),
        pytest.param(
            '\n[metrics.seen]\nmap = "count"\nkind = "counter"\n',
            "skep.toml:16: metrics.seen.map: no object file has a map 'count'",
            "did you mean counts?",
            id="metric-of-no-map",
        ),
        pytest.param(
            '\n[metrics.seen]\nmap = "events"\nkind = "counter"\n',
            "skep.toml:16: metrics.seen.map: map events is a RINGBUF; a metric needs an array or a"
            " hash",
            "",
            id="metric-of-a-ring",
        ),
        pytest.param(
            '\n[metrics.seen]\nmap = "wides"\nkind = "counter"\n',
            "skep.toml:16: metrics.seen.map: map wides has values of 16 bytes; a metric has 8 at"
            " most",
            "",
            id="metric-too-wide",
        ),
        pytest.param(
            '\n[metrics.seen]\nmap = "counts"\nkey = 2\nkind = "counter"\n',
            "skep.toml:16: metrics.seen.map: key 2 is past the end of map counts, which has 2",
            "",
            id="metric-past-the-end",
        ),
        pytest.param(
            '\n[metrics.seen]\nmap = "pairs"\nkind = "counter"\n',
            "skep.toml:16: metrics.seen.map: a value of map pairs is struct pair of 2 members; a"
            " metric is one number",
            "",
            id="metric-of-a-pair",
        ),
        pytest.param(
            '\n[metrics.seen]\nmap = "ports"\nkey = 65536\nkind = "counter"\n',
            "skep.toml:16: metrics.seen.map: key 65536 does not fit into the 2-byte keys of ports",
            "",
            id="metric-with-a-large-key",
        ),
        pytest.param(
            '\n[metrics.seen]\nmap = "keyed"\nkind = "counter"\n',
            "skep.toml:16: metrics.seen.map: map keyed has keys of 16 bytes; expected 1, 2, 4 or 8",
            "",
            id="metric-with-a-wide-key",
        ),
        pytest.param(
            '\n[metrics.seen]\nmap = "paired"\nkind = "counter"\n',
            "skep.toml:16: metrics.seen.map: a key of map paired is struct pair of 2 members; the"
            " key of a metric is one number",
            "",
            id="metric-with-a-pair-for-a-key",
        ),
        pytest.param(
            setting('type = "u32"\nmax_entries_of = "ports"\ndefault = 128')
            + "\n[maps.ports]\nmax_entries = 64\n",
            "skep.toml:21: maps.ports.max_entries: the setting limit gives map ports 128 entries",
            "remove this, or the default of limit",
            id="two-sizes-for-one-map",
        ),
    ],
)
def test_settings_metrics_and_sizes_that_do_not_fit_are_refused(
    tmp_path: Path, more: str, message: str, hint: str
) -> None:
    error = refused(write_project(tmp_path / "p", more), tmp_path / "root")
    assert (error.message, error.hint, codes(error).exit_code) == (message, hint, 3)


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        pytest.param(
            "licence",
            "licens",
            'skep.toml:5: unknown key "licens" in [package]; did you mean "licence"?',
            "",
            id="required-key",
        ),
        pytest.param(
            "categories",
            "tags",
            'skep.toml:6: unknown key "tags" in [package]',
            "",
            id="optional-key",
        ),
        pytest.param(
            'hook = "xdp"',
            'hook = "xdp"\nchains = {run_on = ["pass"]}',
            'skep.toml:14: unknown key "chains" in [[program]]; did you mean "chain"?',
            "",
            id="key-of-a-program",
        ),
        pytest.param(
            "[build]",
            "[bild]\nx = 1\n[build]",
            'skep.toml:8: unknown key "bild"; did you mean "build"?',
            "",
            id="table",
        ),
        pytest.param(
            "GPL-2.0-only",
            "GPL-2.0-only OR",
            "skep.toml:5: package.licence: expected an SPDX expression such as GPL-2.0-only OR"
            " BSD-2-Clause, got 'GPL-2.0-only OR'",
            "identifiers are listed at https://spdx.org/licenses",
            id="licence-that-does-not-parse",
        ),
        pytest.param(
            "GPL-2.0-only",
            "GPL-2.0-sometimes",
            "skep.toml:5: package.licence: SPDX lists no licence GPL-2.0-sometimes",
            "identifiers are listed at https://spdx.org/licenses",
            id="licence-that-is-not-listed",
        ),
    ],
)
def test_what_skep_toml_says_wrongly_is_refused_before_anything_is_compiled(
    tmp_path: Path, old: str, new: str, message: str, hint: str
) -> None:
    project = write_project(tmp_path / "p", toml=TOML.replace(old, new, 1))
    (project / "project.bpf.c").write_text("this is not C")
    error = refused(project, tmp_path / "root")
    assert (error.message, error.hint, codes(error).exit_code) == (message, hint, 3)


def test_a_program_the_object_has_not_is_refused_with_its_line(tmp_path: Path) -> None:
    toml = TOML.replace('name = "prog"', 'name = "porg"')
    error = refused(write_project(tmp_path / "p", toml=toml), tmp_path / "root")
    assert error.message == "skep.toml:12: program[0].name: no object file has the program 'porg'"
    assert (error.hint, codes(error).exit_code) == ("did you mean prog?", 3)


def test_a_source_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    project = write_project(tmp_path / "p", toml=TOML.replace("project.bpf.c", "projekt.bpf.c"))
    error = refused(project, tmp_path / "root")
    assert isinstance(error, NotFound)
    assert error.message.startswith("skep.toml:9: there is no file ")
    assert error.hint == "C files there: project.bpf.c"


@pytest.mark.parametrize(
    ("section", "hook", "hint"),
    [
        pytest.param(
            "tc",
            "xdp",
            'hook = "tcx-ingress" in skep.toml, or SEC("xdp") in the source',
            id="another-type",
        ),
        pytest.param(
            "tcx/egress",
            "tcx-ingress",
            'hook = "tcx-egress" in skep.toml, or SEC("tcx/ingress") in the source',
            id="another-place",
        ),
        pytest.param("kprobe/f", "xdp", 'SEC("xdp") in the source', id="no-hook-of-skep"),
    ],
)
def test_a_hook_that_contradicts_the_section_is_refused(
    tmp_path: Path, section: str, hook: str, hint: str
) -> None:
    toml = TOML.replace('hook = "xdp"', f'hook = "{hook}"')
    error = refused(write_project(tmp_path / "p", toml=toml, section=section), tmp_path / "root")
    assert error.message == (
        f'skep.toml:13: program[0].hook: prog is in section "{section}", which is not for the hook'
        f" {hook}"
    )
    assert (error.hint, codes(error).exit_code) == (hint, 3)


def test_a_section_that_names_no_kind_of_program_leaves_it_to_the_hook(tmp_path: Path) -> None:
    project = write_project(tmp_path / "p", section="mine")
    assert build_package(project, author_environment(tmp_path / "root")).changed


DECLARE = 'in the source: char LICENSE[] SEC("license") = "GPL";'


def test_without_a_kernel_licence_it_is_refused(tmp_path: Path) -> None:
    error = refused(write_project(tmp_path / "p", licence=""), tmp_path / "root")
    assert error.message == (
        "project.bpf.c: it declares no kernel licence, and no program is loaded without one"
    )
    assert (error.hint, codes(error).exit_code) == (DECLARE, 3)


def test_a_licence_that_its_helpers_do_not_allow_is_refused_at_the_call(tmp_path: Path) -> None:
    licence = 'char LICENSE[] SEC("license") = "Proprietary";'
    project = write_project(tmp_path / "p", licence=licence, code='bpf_printk("seen");')
    error = refused(project, tmp_path / "root")
    lines = (project / "project.bpf.c").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if "bpf_printk" in line]
    assert error.message == (
        f'project.bpf.c:{number}: no kernel loads it with the kernel licence "Proprietary":'
        " bpf_trace_printk may be used by GPL-compatible programs only"
    )
    assert (error.hint, codes(error).exit_code) == (DECLARE, 7)


@pytest.mark.parametrize(
    ("declarations", "code", "message"),
    [
        pytest.param(
            "static __u64 (*volatile chosen)(void);",
            "if (chosen()) return 1;",
            "no kernel loads prog: calls through a register (0x8d)",
            id="call-through-a-pointer",
        ),
        pytest.param(
            "static __attribute__((noinline)) int again(volatile int left)"
            " { return left ? again(left - 1) + left : 0; }",
            "if (again(context->rx_queue_index)) return 1;",
            "no kernel loads prog: functions call themselves",
            id="recursion",
        ),
        pytest.param(
            "extern int nowhere(void);",
            "if (nowhere()) return 1;",
            "no kernel loads prog: calls nowhere, which no kernel provides",
            id="call-of-nothing",
        ),
    ],
)
def test_code_that_no_kernel_loads_is_refused(
    tmp_path: Path, declarations: str, code: str, message: str
) -> None:
    project = write_project(tmp_path / "p", declarations=declarations, code=code)
    error = refused(project, tmp_path / "root")
    place, _, said = error.message.partition(": ")
    assert said.partition(" (and ")[0] == message
    assert place.startswith("project.bpf.c")
    assert codes(error).exit_code == 7
    assert error.hint


def test_a_map_without_a_size_is_refused_with_what_to_write(tmp_path: Path) -> None:
    flows = (
        "struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, __u32); __type(value, __u64); }"
        ' flows SEC(".maps");'
    )
    code = "if (bpf_map_lookup_elem(&flows, &zero)) return 1;"
    project = write_project(tmp_path / "p", declarations=flows, code=code)
    error = refused(project, tmp_path / "root")
    assert error.message == "project.bpf.c: nothing says how many entries map flows has"
    assert error.hint == "in skep.toml: [maps.flows] max_entries = 4096"
    write_project(project, error.hint.partition(": ")[2].replace("] ", "]\n"), code=code,
                  declarations=flows)  # fmt: skip
    assert build_package(project, author_environment(tmp_path / "root")).changed


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    more = setting('type = "u64"\nmap = "limit"') + '\n[metrics.m]\nmap="c"\nkind="counter"\n'
    error = refused(write_project(tmp_path / "p", more, licence=""), tmp_path / "root")
    assert error.message.endswith("(and 2 more)")
    assert [line.partition(": ")[0] for line in error.detail.splitlines()] == [
        "skep.toml:17",
        "skep.toml:20",
        "project.bpf.c",
    ]


def test_types_of_the_running_kernel_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> object:
        raise AssertionError("a build reads the kernel's types")

    monkeypatch.setattr("skep.node.wiring.running_kernel.kernel_types", forbidden)
    environment = replace(author_environment(tmp_path / "root"), user=0)
    build_package(write_project(tmp_path / "p"), environment)
