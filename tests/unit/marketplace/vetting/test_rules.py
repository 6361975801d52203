import json
from dataclasses import replace
from typing import Any

import pytest
from tests.builders.elf import ALLOCATED, EXIT, WRITABLE, ElfBuilder
from tests.builders.objects import fixture_bytes
from tests.builders.published import make_package, make_signature, object_bytes, report_of, toml
from tests.builders.trust import NOW, signer

from skep.bytecode.isa.instructions import Instruction
from skep.marketplace.vetting.reviewing import review
from skep.marketplace.vetting.rules import STANDARD_RULES
from skep.marketplace.vetting.submissions import Submission, submit
from skep.marketplace.vetting.verdicts import ReviewVerdict
from skep.packages.content import Package
from skep.packages.opening import open_package
from skep.trust.policies import InsecureAcceptAll, RequireKey
from skep.trust.verifying import SignatureEvidence, Subject, verify


def evidence_for(package: Package) -> SignatureEvidence:
    _, blobs = make_signature(package.manifest)
    bundles = [data for data in blobs.values() if data != b"{}"]
    subject = Subject(package.metadata.name, package.manifest.digest)
    return verify(subject, bundles, RequireKey((signer().public_key,)), NOW)


def submission(package: Package, *, signed: bool = True) -> Submission:
    content = open_package(package.manifest_data, package.blobs.__getitem__)
    return submit(content, evidence_for(package) if signed else None)


def verdict_on(package: Package, *, signed: bool = True) -> ReviewVerdict:
    return review(submission(package, signed=signed), STANDARD_RULES)


def broken(verdict: ReviewVerdict) -> set[str]:
    return {finding.rule_id for finding in verdict.findings}


def test_a_good_package_breaks_no_rule() -> None:
    verdict = verdict_on(make_package())
    assert verdict.outcome == "accepted"
    assert not verdict.findings
    assert verdict.rule_ids == tuple(rule.rule_id for rule in STANDARD_RULES)


def test_the_same_submission_gives_the_same_verdict() -> None:
    one = submission(make_package())
    assert review(one, STANDARD_RULES) == review(one, STANDARD_RULES)


def test_identifiers_are_there_once_and_every_rule_says_what_to_do() -> None:
    assert len({rule.rule_id for rule in STANDARD_RULES}) == len(STANDARD_RULES)
    assert all(rule.text.endswith(".") for rule in STANDARD_RULES)
    assert all(rule.remediation.endswith(".") for rule in STANDARD_RULES)


def test_an_unsigned_package_is_refused() -> None:
    verdict = verdict_on(make_package(), signed=False)
    assert broken(verdict) == {"signature"}
    assert verdict.outcome == "refused"


def test_a_signature_nobody_verified_is_none() -> None:
    package = make_package()
    content = open_package(package.manifest_data, package.blobs.__getitem__)
    unchecked = verify(Subject("x", package.manifest.digest), [], InsecureAcceptAll(), NOW)
    assert broken(review(submit(content, unchecked), STANDARD_RULES)) == {"signature"}


def test_an_object_that_cannot_be_read_is_refused() -> None:
    verdict = verdict_on(make_package(objects={"a.o": b"not ELF"}, report=b"{}"))
    assert "object-readable" in broken(verdict)
    assert "programs-present" not in broken(verdict)


def _changed(change: Any) -> bytes:
    report: dict[str, Any] = report_of({"counting.o": object_bytes()})
    report = json.loads(json.dumps(report))
    change(report)
    return json.dumps(report).encode()


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(b"{}", id="empty"),
        pytest.param(_changed(lambda r: r["counting.o"].pop("permissions")), id="no-permissions"),
        pytest.param(
            _changed(lambda r: r["counting.o"]["permissions"].append({"id": "x"})), id="one-more"
        ),
        pytest.param(
            _changed(lambda r: r["counting.o"]["requirements"].update(oldest_kernel="3.0")),
            id="older-kernel",
        ),
        pytest.param(_changed(lambda r: r.update(other=r["counting.o"])), id="one-object-more"),
        pytest.param(_changed(lambda r: r["counting.o"].update(extra=1)), id="one-field-more"),
    ],
)
def test_a_label_that_is_not_what_the_bytecode_says_is_refused(report: bytes) -> None:
    verdict = verdict_on(make_package(report=report))
    assert broken(verdict) == {"label-matches"}
    assert verdict.outcome == "refused"


def test_a_report_of_other_bytecode_is_refused() -> None:
    """The label of a harmless object, packaged with another one."""
    harmless = report_of({"counting.o": object_bytes()})
    package = make_package(
        objects={"counting.o": object_bytes(helper=6)}, report=json.dumps(harmless).encode()
    )
    assert "label-matches" in broken(verdict_on(package))


def test_a_licence_spdx_does_not_list_is_refused() -> None:
    one = submission(make_package())
    # Building and opening may refuse it themselves; so the rule is asked directly.
    metadata = replace(one.content.metadata, licence="My-Own-Licence")
    changed = replace(one, content=replace(one.content, metadata=metadata))
    verdict = review(changed, STANDARD_RULES)
    assert broken(verdict) == {"licence-valid"}


def test_a_helper_for_gpl_programs_needs_a_gpl_compatible_licence() -> None:
    trace_printk = 6
    proprietary = make_package(
        objects={"counting.o": object_bytes(helper=trace_printk, licence=b"Proprietary\0")}
    )
    verdict = verdict_on(proprietary)
    assert broken(verdict) == {"kernel-licence"}
    assert "trace_printk" in str(verdict.findings[0])
    free = make_package(objects={"counting.o": object_bytes(helper=trace_printk)})
    assert verdict_on(free).outcome == "accepted"


@pytest.mark.parametrize(
    ("declared", "kernel", "is_said"),
    [
        ("GPL-2.0-only", b"GPL\0", False),
        ("Apache-2.0", b"GPL\0", True),
        ("MIT", b"Dual BSD/GPL\0", True),
        ("GPL-2.0-only", b"GPL-2.0\0", True),
    ],
)
def test_licences_that_contradict_each_other_are_warned_of(
    declared: str, kernel: bytes, *, is_said: bool
) -> None:
    one = submission(make_package(objects={"counting.o": object_bytes(licence=kernel)}))
    metadata = replace(one.content.metadata, licence=declared)
    verdict = review(replace(one, content=replace(one.content, metadata=metadata)), STANDARD_RULES)
    assert ("licence-agrees" in {finding.rule_id for finding in verdict.findings}) is is_said
    assert verdict.outcome == "accepted"


def test_what_has_no_name_in_the_permissions_table_is_refused() -> None:
    package = make_package(objects={"counting.o": object_bytes(helper=5000)})
    assert "permissions-known" in broken(verdict_on(package))


def test_a_program_that_is_in_no_object_is_refused() -> None:
    verdict = verdict_on(make_package(toml(program="nowhere")))
    assert broken(verdict) == {"programs-present"}


def test_a_program_that_is_in_two_objects_is_refused() -> None:
    objects = {"a.o": object_bytes(), "b.o": object_bytes()}
    assert broken(verdict_on(make_package(objects=objects))) == {"programs-present"}


def test_missing_words_and_sources_are_told_but_do_not_refuse() -> None:
    verdict = verdict_on(make_package(readme=b"", sources={}))
    assert broken(verdict) == {"metadata-complete", "sources-present"}
    assert verdict.outcome == "accepted"


def test_a_verdict_as_a_document_names_every_rule_and_what_to_do() -> None:
    document: dict[str, Any] = verdict_on(make_package(), signed=False).to_document()
    assert document["schema"] == "skep.verdict/v1"
    assert document["outcome"] == "refused"
    assert document["rules"][0] == "signature"
    (finding,) = document["findings"]
    assert finding["rule"] == "signature"
    assert finding["remediation"]
    assert finding["problems"] == ["it is not signed"]
    json.dumps(document)


def test_what_no_node_can_install_is_refused_with_what_to_do() -> None:
    open_size = fixture_bytes("open_size")
    verdict = verdict_on(make_package(toml(program="look"), objects={"x.o": open_size}))
    assert broken(verdict) == {"installable"}
    assert verdict.outcome == "refused"
    (finding,) = verdict.findings
    assert "[maps.flows] max_entries" in finding.problems[0]
    sized = toml(program="look", more="[maps.flows]\nmax_entries = 64")
    assert not broken(verdict_on(make_package(sized, objects={"x.o": open_size})))


def test_maps_that_are_not_there_cannot_be_sized() -> None:
    verdict = verdict_on(make_package(toml(more="[maps.nobody]\nmax_entries = 64")))
    assert broken(verdict) == {"installable"}


def test_a_missing_kernel_licence_is_refused() -> None:
    builder = ElfBuilder()
    number = builder.code("xdp", (Instruction(0xB7, 0, 0, 0, 1), EXIT))
    builder.symbol("prog", number, size=16)
    verdict = verdict_on(make_package(objects={"x.o": builder.build()}))
    assert "installable" in broken(verdict)
    assert verdict.outcome == "refused"


def test_what_nodes_cannot_make_yet_is_a_warning() -> None:
    made = make_package(toml(program="jump"), objects={"x.o": fixture_bytes("maps_of_maps")})
    verdict = verdict_on(made)
    assert "nodes-can-load" in {each.rule_id for each in verdict.findings}
    assert "installable" not in broken(verdict)


def test_settings_for_maps_that_are_not_there_are_refused() -> None:
    metadata = toml(more='[settings.limit]\ntype = "u64"\nmap = "nowhere"\nhelp = "a limit"')
    verdict = verdict_on(make_package(metadata))
    assert broken(verdict) == {"consistent"}
    assert "settings.limit.map: no object file has a map 'nowhere'" in str(verdict.findings[0])
    assert verdict.outcome == "refused"


def test_a_hook_that_contradicts_the_section_is_refused() -> None:
    verdict = verdict_on(make_package(toml(hook="tcx-ingress")))
    assert "consistent" in broken(verdict)


def test_what_no_kernel_loads_is_refused() -> None:
    code = (Instruction(0x8D, 1, 0, 0, 0), Instruction(0xB7, 0, 0, 0, 1), EXIT)
    builder = ElfBuilder()
    builder.section("license", b"GPL\0", flags=ALLOCATED | WRITABLE)
    builder.symbol("prog", builder.code("xdp", code), size=8 * len(code))
    verdict = verdict_on(make_package(objects={"counting.o": builder.build()}))
    assert broken(verdict) >= {"loadable"}
    assert "calls through a register" in "\n".join(map(str, verdict.findings))


def test_while_an_object_cannot_be_read_nothing_is_said_about_its_maps() -> None:
    metadata = toml(more='[settings.limit]\ntype = "u64"\nmap = "nowhere"\nhelp = "a limit"')
    package = make_package(metadata, objects={"a.o": b"not ELF"}, report=b"{}")
    assert "consistent" not in broken(verdict_on(package))
