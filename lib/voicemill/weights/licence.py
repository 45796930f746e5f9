"""Licence policy on SPDX expressions: may these weights, or this code, be used commercially?

Default deny: an expression counts as permitted only when every licence in it is on the list below. Code licence and
weights licence are judged by separate calls; neither speaks for the other.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["permitted", "forbidden", "unclear"]

# fmt: off
PERMITTED = frozenset({
    "0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause",
    "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-3-Clause-Clear", "BSL-1.0", "CC-BY-3.0", "CC-BY-4.0",
    "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "EPL-2.0",
    "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "HPND", "ISC", "LGPL-2.1-only",
    "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MIT-Festival",
    "MPL-2.0", "NCSA", "ODC-By-1.0", "OFL-1.1", "PDDL-1.0", "PSF-2.0", "Python-2.0", "Unlicense", "UPL-1.0", "W3C",
    "WTFPL", "Zlib",
})
# fmt: on
"""SPDX identifiers that allow commercial use and derivatives (some with attribution or share-alike)."""

OWN_REFERENCES = {
    "LicenseRef-own-data": "no third-party weights: the voice is made from the operator's own recordings only",
    "LicenseRef-NVIDIA-Open-Model-License": "commercial use and derivatives allowed, notice required",
}
"""Licence references that SPDX does not list, and their meaning (the allowlist holds the evidence)."""

ALIASES = {"nvidia open model license": "LicenseRef-NVIDIA-Open-Model-License"}
"""Plain names, as other producers write them, in lower case."""

_FORBIDDEN = re.compile(
    r"(?:^|[^a-z])nc(?:$|[^a-z])|non[\s_-]*commercial|research[\s_-]*(?:only|use)|academic|evaluation[\s_-]*only|"
    r"personal[\s_-]*use|(?:^|[^a-z])cpml|coqui[\s_-]*public[\s_-]*model",
    re.IGNORECASE,
)
_NO_DERIVATIVES = re.compile(r"^CC-BY-(?:NC-)?ND-", re.IGNORECASE)
MAX_EXPRESSION = 500
"""Characters; the parser never sees a longer text."""


@dataclass(frozen=True)
class LicenceJudgement:
    """The policy's verdict on one licence expression.

    Attributes:
        expression: normalised SPDX expression where it could be read, else the text as given.
        verdict: `permitted`, `forbidden` (commercial use is excluded) or `unclear` (counts as NO-GO).
        why: one plain clause.
    """

    expression: str
    verdict: Verdict
    why: str

    @property
    def permitted(self) -> bool:
        return self.verdict == "permitted"


def judge(expression: str | None) -> LicenceJudgement:
    """Judge one licence expression for commercial use.

    `A AND B` needs both; `A OR B` needs one, as its user may choose, but every name in it must be known; `A WITH E`
    is `A`.
    """
    text = (expression or "").strip()
    if not text:
        return LicenceJudgement("", "unclear", "no licence is stated")
    if len(text) > MAX_EXPRESSION or not text.isprintable():
        return LicenceJudgement(text[:80], "unclear", "not a licence expression")
    text = ALIASES.get(text.lower(), text)
    if importlib.util.find_spec("license_expression") is None:
        return _judge_single(text)
    try:
        tree = _licensing().parse(text)
    except _parse_errors():
        return _unreadable(text)
    return _judge_tree(tree, text)


def _judge_single(text: str) -> LicenceJudgement:
    """Judge without the SPDX parser: only listed licences, alone or joined by AND, are permitted."""
    canonical = {key.lower(): key for key in (*PERMITTED, *OWN_REFERENCES)}
    keys = [canonical.get(part.strip().lower()) for part in text.split(" AND ")]
    read = [key for key in keys if key is not None]
    if len(read) == len(keys):
        return LicenceJudgement(" AND ".join(read), "permitted", "commercial use is allowed")
    return _unreadable(text)


_OWN_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]{1,100}")


def expression(text: str) -> str | None:
    """A licence expression in its normal form; None when it is not one, or names a licence that SPDX does not list.

    A single `LicenseRef-` name is taken as it stands: SPDX leaves it to whoever uses it. Whether a
    licence allows anything is decided by `judge`.
    """
    text = text.strip()
    if not text or len(text) > MAX_EXPRESSION or not text.isprintable():
        return None
    if _OWN_REFERENCE.fullmatch(text):
        return text
    if importlib.util.find_spec("license_expression") is None:
        judgement = _judge_single(text)
        return judgement.expression if judgement.permitted else None
    try:
        tree = _licensing().parse(text, validate=True, strict=True)
    except _parse_errors():
        return None
    return str(tree.render("{symbol.key}")) if tree is not None else None


def _judge_tree(tree: Any, text: str) -> LicenceJudgement:
    keys = [
        str(getattr(symbol, "key", symbol))
        for symbol in _licensing().license_symbols(tree, decompose=True, unique=True)
    ]
    keys = [key for key in keys if not _is_exception(key)]
    unknown = sorted(key for key in keys if _verdict_of(key) == "unclear")
    if unknown:
        return LicenceJudgement(
            text, "unclear", f"{', '.join(unknown)} is not a licence that we know to allow commercial use"
        )
    rendered = str(tree.render("{symbol.key}"))
    if _allows(tree):
        return LicenceJudgement(rendered, "permitted", "commercial use is allowed")
    refused = sorted(key for key in keys if _verdict_of(key) == "forbidden")
    return LicenceJudgement(rendered, "forbidden", f"{', '.join(refused)} forbids commercial use or derivatives")


def _unreadable(text: str) -> LicenceJudgement:
    if _FORBIDDEN.search(text):
        return LicenceJudgement(text, "forbidden", f"{text} forbids commercial use")
    return LicenceJudgement(text, "unclear", f"{text} is not an SPDX licence expression")


def _verdict_of(key: str) -> Verdict:
    if key in PERMITTED or key in OWN_REFERENCES:
        return "permitted"
    if _FORBIDDEN.search(key) or _NO_DERIVATIVES.match(key):
        return "forbidden"
    return "unclear"


def _allows(tree: Any) -> bool:
    """Evaluate the parsed expression: leaves are licences, nodes are AND and OR."""
    if getattr(tree, "isliteral", False):
        base = getattr(tree, "license_symbol", tree)  # `A WITH E`: the exception only adds permissions
        return _verdict_of(str(base.key)) == "permitted"
    results = [_allows(part) for part in tree.args]
    return any(results) if type(tree).__name__ == "OR" else all(results)


@functools.cache
def _licensing() -> Any:
    """The SPDX licence list of `license-expression` (50 ms to build), with our own references added."""
    from license_expression import LicenseSymbol, Licensing, get_spdx_licensing

    known = get_spdx_licensing().known_symbols
    return Licensing([*known.values(), *(LicenseSymbol(key) for key in OWN_REFERENCES)])


def _is_exception(key: str) -> bool:
    symbol = _licensing().known_symbols.get(key)
    return bool(symbol is not None and symbol.is_exception)


def _parse_errors() -> tuple[type[Exception], ...]:
    """What the parser raises: its own errors, and those that escape it on texts such as `()` or `(AND MIT`."""
    from license_expression import ExpressionError, ExpressionParseError

    escaping = (AssertionError, RecursionError, LookupError, AttributeError, TypeError, ValueError)
    return (ExpressionError, ExpressionParseError, *escaping)
