"""SPDX licence expressions, checked against the SPDX list.

In a module of its own because the list takes long to import; only building and vetting need it.

Source: https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
"""

import functools
import re

from license_expression import ExpressionError, Licensing, get_spdx_licensing

from skep.errors import Malformed
from skep.packages.names import one_line

_CUSTOM = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_LONGEST = 300  # characters
_MOST_BRACKETS = 32  # the parser of the library recurses

_HINT = "identifiers are listed at https://spdx.org/licenses"


class UnknownLicence(Malformed):
    """Text is no SPDX expression, or names a licence SPDX does not list."""


@functools.cache
def _spdx() -> Licensing:
    return get_spdx_licensing()


def check_licence(expression: str) -> str:
    """Return the expression as SPDX writes it; ``LicenseRef-…`` is allowed as it is.

    >>> check_licence("gpl-2.0-only or bsd-2-clause")
    'GPL-2.0-only OR BSD-2-Clause'

    Raises:
        UnknownLicence: with the identifiers SPDX does not know.
    """
    if len(expression) > _LONGEST or expression.count("(") > _MOST_BRACKETS:
        raise UnknownLicence(f"expected a licence expression of at most {_LONGEST} characters")
    licensing = _spdx()
    try:
        parsed = licensing.parse(expression, validate=False, strict=True)
        if parsed is None:
            raise UnknownLicence("expected a licence expression, got nothing", hint=_HINT)
        unknown = [
            key for key in licensing.unknown_license_keys(parsed) if not _CUSTOM.fullmatch(key)
        ]
    except (ExpressionError, ValueError, RecursionError) as error:
        raise UnknownLicence(
            f"expected an SPDX expression such as GPL-2.0-only OR BSD-2-Clause, got"
            f" {one_line(expression, 80)!r}",
            hint=_HINT,
        ) from error
    if unknown:
        raise UnknownLicence(
            f"SPDX lists no licence {', '.join(one_line(key, 40) for key in unknown)}", hint=_HINT
        )
    return str(parsed)
