from __future__ import annotations

import math

import pytest
import torch

from voicemill_musicgen.training import LOGIT_LIMIT, delayed, sanitised_loss, shifted

P = 9


def test_each_codebook_starts_one_step_later():
    pattern = delayed(torch.tensor([[[1, 2, 3], [4, 5, 6]]]), P)
    assert pattern.tolist() == [[[1, 2, 3, P], [P, 4, 5, 6]]]
    assert shifted(pattern, P).tolist() == [[P, 1, 2, 3], [P, P, 4, 5]]


def targets_and_logits():
    torch.manual_seed(0)
    return delayed(torch.randint(0, P, (1, 2, 5)), P), torch.randn(1, 2, 6, P)


def test_padding_does_not_count():
    targets, logits = targets_and_logits()
    other = logits.clone()
    other[0, 0, 5], other[0, 1, 0] = 7.0, -3.0
    assert float(sanitised_loss(logits, targets, P).loss) == float(sanitised_loss(other, targets, P).loss)
    wanted = (
        torch.nn.functional.cross_entropy(logits[0, 0, :5], targets[0, 0, :5]),
        torch.nn.functional.cross_entropy(logits[0, 1, 1:], targets[0, 1, 1:]),
    )
    assert float(sanitised_loss(logits, targets, P).loss) == pytest.approx(float(sum(wanted) / 2), rel=1e-6)


def test_overflow_is_clamped_and_counted():
    targets, logits = targets_and_logits()
    logits[0, 0, 0, targets[0, 0, 0]] = float("inf")
    logits[0, 0, 1, targets[0, 0, 1]] = float("-inf")
    judged = sanitised_loss(logits, targets, P)
    assert judged.sanitised == 2
    assert math.isfinite(float(judged.loss))
    clamped = logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    assert float(judged.loss) == pytest.approx(float(sanitised_loss(clamped, targets, P).loss), rel=1e-6)
    assert float(judged.loss) > LOGIT_LIMIT / 10, "being surely wrong costs the limit at one of ten steps"


def test_nan_says_nothing_and_nothing_left_is_no_loss():
    targets, logits = targets_and_logits()
    some = logits.clone()
    some[0, 0, 2, 4] = float("nan")
    judged = sanitised_loss(some, targets, P)
    assert (judged.sanitised, math.isfinite(float(judged.loss))) == (1, True)
    assert float(judged.loss) != float(sanitised_loss(logits, targets, P).loss)
    all_of_it = sanitised_loss(torch.full_like(logits, float("nan")), targets, P)
    assert math.isnan(float(all_of_it.loss)), "zeros in place of NaN would have passed for ln(9)"
    assert all_of_it.sanitised == logits.numel()
