"""Packages ready to be pushed: built and signed, valid, with one thing changed."""

from collections.abc import Mapping
from functools import cache

from tests.builders.elf import ALLOCATED, EXIT, WRITABLE, ElfBuilder, call
from tests.builders.trust import signer

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.reading import read_object
from skep.digests import Digest
from skep.json_documents import canonical_json
from skep.packages.building import build
from skep.packages.content import Package
from skep.packages.made_costs import as_made
from skep.packages.metadata import parse_metadata
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.referrers import bundle_referrer
from skep.trust.bundles import Subject, sign
from skep.trust.keys import Signer

NAME = "acme/counting"
DROP = (Instruction(0xB7, 0, 0, 0, 1), EXIT)
SOURCES = {"counting.bpf.c": b"// SPDX-License-Identifier: GPL-2.0-only\n"}


@cache
def object_bytes(*, helper: int | None = None, licence: bytes = b"GPL\0") -> bytes:
    """An object with one XDP program ``prog`` that drops, perhaps calling a helper first."""
    builder = ElfBuilder()
    builder.section("license", licence, flags=ALLOCATED | WRITABLE)
    code = (*((call(helper),) if helper is not None else ()), *DROP)
    number = builder.code("xdp", code)
    builder.symbol("prog", number, size=8 * len(code))
    return builder.build()


def toml(
    name: str = NAME,
    version: str = "1.0.0",
    *,
    program: str = "prog",
    licence: str = "GPL-2.0-only",
    summary: str = "Counts packets",
    more: str = "",
    hook: str = "xdp",
) -> bytes:
    return f"""
[package]
name = "{name}"
version = "{version}"
summary = "{summary}"
licence = "{licence}"
categories = ["network/counters"]

[build]
sources = ["counting.bpf.c"]

[[program]]
name = "{program}"
hook = "{hook}"
{more}
""".encode()


def report_of(objects: Mapping[str, bytes], metadata: bytes = b"") -> dict[str, object]:
    """The report an author's machine makes."""
    parsed = parse_metadata(metadata or toml())
    return {
        name: as_made(analyse(read_object(data)), parsed).to_document()
        for name, data in objects.items()
    }


def make_package(
    metadata: bytes | None = None,
    *,
    objects: Mapping[str, bytes] | None = None,
    report: bytes | None = None,
    readme: bytes = b"# Counting\n",
    sources: Mapping[str, bytes] = SOURCES,
) -> Package:
    objects = {"counting.o": object_bytes()} if objects is None else objects
    metadata = toml() if metadata is None else metadata
    return build(
        metadata,
        objects,
        canonical_json(report_of(objects, metadata)) if report is None else report,
        readme,
        sources,
    )


def make_signature(
    subject: Descriptor, by: Signer | None = None, *, bundle: bytes | None = None
) -> tuple[bytes, Mapping[Digest, bytes]]:
    """Manifest and blobs of a signature over ``subject``."""
    bundle = bundle or sign(Subject(NAME, subject.digest), by or signer())
    return bundle_referrer(subject, bundle)
