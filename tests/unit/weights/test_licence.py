from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemill.weights.licence import PERMITTED, judge


@pytest.mark.parametrize(
    "text",
    [
        "MIT",
        "mit",
        "Apache-2.0",
        "CC-BY-4.0",
        "cc-by-4.0",
        "CC-BY-SA-4.0",
        "LicenseRef-own-data",
        "NVIDIA Open Model License",
        "CC-BY-4.0 AND LicenseRef-NVIDIA-Open-Model-License",
        "MIT OR CC-BY-NC-4.0",
        "Apache-2.0 WITH LLVM-exception",
        "MIT-Festival",
        "(MIT AND BSD-3-Clause) OR GPL-3.0-only",
    ],
)
def test_permitted(text):
    assert judge(text).permitted


@pytest.mark.parametrize(
    "text",
    [
        "CC-BY-NC-4.0",
        "cc-by-nc-sa-4.0",
        "CC-BY-NC-ND-4.0",
        "MIT AND CC-BY-NC-4.0",
        "CPML",
        "cpml",
        "Coqui Public Model License",
        "research only",
        "research-only",
        "non-commercial",
        "CC BY-NC 4.0",
        "PolyForm-Noncommercial-1.0.0",
        "CC-BY-ND-4.0",
        "academic use",
        "CC-BY-NC-SA-4.0 WITH LLVM-exception",
    ],
)
def test_forbidden(text):
    judgement = judge(text)
    assert judgement.verdict == "forbidden"
    assert judgement.why


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "  ",
        "unknown",
        "other",
        "NOASSERTION",
        "NONE",
        "proprietary",
        "see README",
        "MIT AND unknown",
        "unknown OR MIT",
        "LicenseRef-something",
        "((",
        "MIT AND",
        "\x00",
        "MIT\nMIT",
        "(" * 490 + "MIT",
        "x" * 10_000,
        "LicenseRef-scancode-unknown",
    ],
)
def test_unclear_is_no_go(text):
    assert judge(text).verdict == "unclear"


def test_every_permitted_id_is_an_spdx_id():
    for identifier in PERMITTED:
        assert judge(identifier).expression == identifier


@given(st.text(max_size=600))
def test_any_text_ends_in_a_verdict(text):
    start = time.process_time()
    assert judge(text).verdict in ("permitted", "forbidden", "unclear")
    assert time.process_time() - start < 1


@given(
    st.lists(
        st.sampled_from(["MIT", "CC-BY-NC-4.0", "foo", "AND", "OR", "WITH", "(", ")", "LLVM-exception"]), max_size=12
    )
)
def test_no_expression_with_only_forbidden_parts_is_permitted(words):
    if "MIT" not in words:
        assert not judge(" ".join(words)).permitted
