"""Is the content the package that was asked for?

A digest says which bytes; it says nothing about whose name they may run under. Whoever asks for
``a/b@sha256:…`` trusts the publisher ``a``: the digest of a package called ``c/d`` must not stand
in for that, or one more line in a chat makes an operator run something else under a name they know.
"""

from skep.packages.errors import WrongContent
from skep.packages.metadata import PackageMetadata
from skep.packages.references import Reference


def check_identity(metadata: PackageMetadata, reference: Reference) -> None:
    """Demand that the content's name, and the version if one is stated, are the reference's.

    Raises:
        WrongContent: naming both.
    """
    is_named = metadata.name == reference.package
    if is_named and reference.version in (None, metadata.version):
        return
    version = f" {reference.version}" if reference.version is not None else ""
    content = "the content" if reference.digest is None else f"the content of {reference.digest}"
    raise WrongContent(
        f"expected {reference.package}{version}, {content} is {metadata.name} {metadata.version}",
        hint=(
            "whoever gave you the name and the digest mixed packages up,"
            " or wants you to run another one"
        ),
    )
