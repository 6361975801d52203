"""A ``skep.toml`` as its author's, before a package is made of it.

Whoever opens a package passes over keys that a later version of Skep may know. To an author such a
key is a mistake: what it was meant to say would be missing from the package.
"""

from skep.packages.licences import UnknownLicence, check_licence
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.toml_problems import Problem, refusal, unknown_key


def parse_authored(toml: bytes) -> PackageMetadata:
    """Read a ``skep.toml``, and refuse what says nothing.

    Raises:
        MalformedMetadata: as :func:`skep.packages.metadata.parse_metadata`; or it has unknown keys,
            or its licence is no SPDX expression.
    """
    metadata = parse_metadata(toml)
    problems = [unknown_key(each) for each in metadata.unread]
    hint = ""
    try:
        check_licence(metadata.licence)
    except UnknownLicence as error:
        problems.append(Problem("package.licence", error.message))
        hint = error.hint
    if problems:
        raise refusal(toml, problems, hint)
    return metadata
