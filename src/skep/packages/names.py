"""Names of packages, programs and files in packages.

A package name is also an OCI repository name, so it must satisfy the grammar of the OCI
distribution specification, which forbids a dash at either end of a component.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
"""

import re

_COMPONENT = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PACKAGE_NAME = re.compile(rf"({_COMPONENT})/({_COMPONENT})")
_NAME = re.compile(_COMPONENT)
# Path parts that mean the same on every file system and need no quoting in a shell.
_PATH_PART = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]{0,99}")
# A C identifier; clang gives subprograms such as ``f.cold`` dots, but those are no entries.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# Data section maps are called ``.rodata``; a map name is a C identifier otherwise.
_MAP_NAME = re.compile(r"\.?[A-Za-z_][A-Za-z0-9_.]{0,127}")

LONGEST_PATH = 100  # characters; the name field of a ustar header

MARKETPLACE_NAME_RULE = "1 to 63 lower-case letters, digits and dashes, no dash at either end"
PACKAGE_NAME_RULE = f"publisher/name, each {MARKETPLACE_NAME_RULE}"


def is_marketplace_name(text: str) -> bool:
    """Whether ``text`` can name a marketplace; a host (``a.b``, ``a:1``, ``localhost``) cannot.

    >>> is_marketplace_name("public"), is_marketplace_name("a.b"), is_marketplace_name("localhost")
    (True, False, False)
    """
    return is_publisher_name(text) and text != "localhost"


def is_publisher_name(text: str) -> bool:
    """Whether ``text`` can be the first part of a package name.

    >>> is_publisher_name("skep"), is_publisher_name("skep/x")
    (True, False)
    """
    return _NAME.fullmatch(text) is not None


def is_package_name(text: str) -> bool:
    """Whether ``text`` is ``publisher/name``.

    >>> is_package_name("skep/rate-limiting"), is_package_name("Skep/x"), is_package_name("x")
    (True, False, False)
    """
    return _PACKAGE_NAME.fullmatch(text) is not None


def is_identifier(text: str) -> bool:
    """Whether ``text`` can name a function, a variable, a setting or a metric."""
    return _IDENTIFIER.fullmatch(text) is not None


def is_map_name(text: str) -> bool:
    """Whether ``text`` can name a map."""
    return _MAP_NAME.fullmatch(text) is not None


def is_file_name(text: str) -> bool:
    """Whether ``text`` is one safe path part: no slash, no dot first, nothing odd."""
    return _PATH_PART.fullmatch(text) is not None


def is_relative_path(text: str) -> bool:
    """Whether ``text`` is a safe relative path with forward slashes.

    >>> is_relative_path("include/a.h"), is_relative_path("../a.h"), is_relative_path("/a.h")
    (True, False, False)
    """
    return len(text) <= LONGEST_PATH and all(is_file_name(part) for part in text.split("/"))


def is_one_line(text: str) -> bool:
    """Whether ``text`` is a printable line; control characters would reach terminals."""
    return 0 < len(text) <= 200 and text.isprintable()


def one_line(text: str, longest: int = 200) -> str:
    r"""``text`` of a stranger, made safe for terminals and logs: one line, no control characters.

    >>> one_line("red \x1b[31m alert\n")
    'red ?[31m alert?'
    """
    if len(text) <= longest and text.isprintable():
        return text  # as nearly every one
    shown = "".join(char if char.isprintable() else "?" for char in text[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
