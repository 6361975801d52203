"""Media types and annotation names, those of OCI, of Sigstore and our own."""

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"

PACKAGE = "application/vnd.skep.package.v1+json"
OBJECT = "application/vnd.skep.object.v1+elf"
METADATA = "application/vnd.skep.metadata.v1+toml"
REPORT = "application/vnd.skep.report.v1+json"
README = "text/markdown"
SOURCES = "application/vnd.skep.sources.v1.tar"

JSON = "application/json"
OCTETS = "application/octet-stream"
"""Of requests and answers: a document, and the bytes of a blob."""


TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
LICENCES = "org.opencontainers.image.licenses"
DESCRIPTION = "org.opencontainers.image.description"
CREATED = "org.opencontainers.image.created"
REFERENCE_NAME = "org.opencontainers.image.ref.name"

BUNDLE_CONTENT = "dev.sigstore.bundle.content"
BUNDLE_PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
