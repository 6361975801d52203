"""Packages for tests: valid, with one thing changed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tests.builders.elf import minimal

from skep.digests import Digest
from skep.packages.building import build
from skep.packages.content import Package
from skep.packages.local.content_store import ContentStore, NewManifest
from skep.packages.oci.descriptors import Descriptor
from skep.sigstore import BUNDLE

OBJECT = minimal().build()  # one program, ``prog``
BUNDLE_DATA = b'{"mediaType":"' + BUNDLE.encode() + b'"}'


def metadata_toml(
    name: str = "skep/limiter",
    version: str = "1.2.0",
    *,
    summary: str = "Limits new connections",
    licence: str = "GPL-2.0-only OR BSD-2-Clause",
    more: str = "",
) -> bytes:
    return f"""
[package]
name = {json.dumps(name)}
version = {json.dumps(version)}
summary = {json.dumps(summary)}
licence = {json.dumps(licence)}
categories = ["network/limits"]

[[program]]
name = "prog"
hook = "xdp"
{more}
""".encode()


def package(
    name: str = "skep/limiter",
    version: str = "1.2.0",
    *,
    toml: bytes | None = None,
    objects: Mapping[str, bytes] | None = None,
    report: bytes = b'{"prog.o": {}}',
    readme: bytes = b"# Limiter\n",
    sources: Mapping[str, bytes] | None = None,
) -> Package:
    return build(
        metadata_toml(name, version) if toml is None else toml,
        {"prog.o": OBJECT} if objects is None else objects,
        report,
        readme,
        {"prog.bpf.c": b"int x;\n", "include/x.h": b""} if sources is None else sources,
    )


Change = Callable[[dict[str, Any]], object]


def changed_manifest(original: Package, change: Change) -> bytes:
    """The manifest's document after ``change``."""
    document = json.loads(original.manifest_data)
    change(document)
    return json.dumps(document).encode()


def with_layer(
    original: Package, media_type: str, data: bytes
) -> tuple[bytes, Mapping[Digest, bytes]]:
    """The package with the content of the layer of ``media_type`` replaced, digests all right."""
    new = Descriptor.of(data, media_type)

    def change(document: dict[str, Any]) -> None:
        for layer in document["layers"]:
            if layer["mediaType"] == media_type:
                layer |= {"digest": str(new.digest), "size": new.size}

    return changed_manifest(original, change), {**original.blobs, new.digest: data}


def put_package(store: ContentStore, made: Package, tag: str | None = None) -> Descriptor:
    for blob in made.blobs.values():
        store.put_blob(blob)
    named = f"{made.metadata.name}:{made.metadata.version}" if tag is None else tag
    return store.add([NewManifest(made.manifest_data, tag=named)])[0]


def bare(descriptor: Descriptor) -> Descriptor:
    """Without annotations and type: what a subject is."""
    return replace(descriptor, annotations=MappingProxyType({}), artifact_type="")
