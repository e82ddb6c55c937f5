"""A language model with a memory: the same access, the same answers, and nothing asked twice."""

from __future__ import annotations

import numpy as np
import pytest

import text_zoo
from keepmum.targets._remembered import remembered
from keepmum.targets.text import GradientTextTarget, LogitTarget, TextTarget, TokenScoreTarget

TEXTS = ["one two", "three", "one two", ""]


class Open(text_zoo.Ngrams, GradientTextTarget):
    context = 99

    def _gradient_norms(self, texts):
        return np.array([float(len(text)) for text in texts])


class Scoring(TokenScoreTarget):
    def _score(self, texts, prefixes):
        return text_zoo.Ngrams(["one"]).score(texts, prefixes)

    def _generate(self, prompts, tokens, samples, sampling, seed):
        return [["x"] * samples for _ in prompts]


class Writing(TextTarget):
    def _generate(self, prompts, tokens, samples, sampling, seed):
        return [["x"] * samples for _ in prompts]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: Open(TEXTS), GradientTextTarget),
        (lambda: text_zoo.Ngrams(TEXTS), LogitTarget),
        (Scoring, TokenScoreTarget),
    ],
)
def test_same_access_same_answers_asked_once(make, kind):
    plain, inner = make(), make()
    known = remembered(inner)
    assert isinstance(known, kind)
    assert (known.access, known.context) == (inner.access, inner.context)
    for _ in range(2):
        for mine, theirs in zip(
            known.score(TEXTS, ["a", "", "a", ""]), plain.score(TEXTS, ["a", "", "a", ""]), strict=True
        ):
            np.testing.assert_array_equal(mine.log_probs, theirs.log_probs)
    assert (known.queries, inner.queries) == (8, 3), "counted as asked; passed on once"
    known.score(["one two"])
    assert inner.queries == 4, "without the prefix it is another question"
    assert known.generate(["one"], 3, samples=2, seed=1) == plain.generate(["one"], 3, samples=2, seed=1)
    assert inner.queries == 6


def test_inside_is_passed_on():
    inner = Open(TEXTS)
    known = remembered(inner)
    np.testing.assert_array_equal(known.gradient_norms(["ab"]), [2.0])
    np.testing.assert_array_equal(known.next_log_probs([5], [[6]]), inner.next_log_probs([5], [[6]]))
    assert known.decode(known.encode("one")) == "one"
    assert known.size == inner.size
    assert known.notes is inner.notes


def test_one_that_only_writes_is_left_alone():
    writer = Writing()
    assert remembered(writer) is writer
