"""Documents without a model: a fair split stays fair, a shifted one is seen, and a memorizing twin is caught."""

from __future__ import annotations

import numpy as np
import pytest

import text_zoo
from keepmum import _documents, instrument
from keepmum._settle import doubts, settle
from keepmum.attacks import Context
from keepmum.attacks.membership.text import TextLoss
from keepmum.data import Records, Split
from keepmum.datasets import load_prose
from keepmum.findings import Outcome
from keepmum.texts import documents


def fair(seed: int, n: int = 150) -> Split:
    texts = load_prose(2 * n, seed)
    return Split(documents(texts[:n]), documents(texts[n:]))


def test_a_year_that_a_single_document_names_stops_no_learner():
    """The fold that holds this document leaves no value in training, and trees refuse such a column."""
    sides = [[f"The code of person {side}{i} is {i:02d}." for i in range(12)] for side in "12"]
    sides[0][3] = "The code of person 13 is 1849."
    found = instrument.blind_baseline(Split(*(documents(side) for side in sides)), 0, 1_000)
    assert found.metrics["auc"].low <= found.metrics["auc"].value <= found.metrics["auc"].high


@pytest.mark.slow
def test_blind_baseline_keeps_its_level_on_documents():
    """Of 60 fair splits, its 1 % test may stop at most 0.6 + 2 standard errors, and its interval covers one half."""
    checks = [instrument.blind_baseline(fair(seed, 100), seed, 1_000) for seed in range(60)]
    assert sum(check.passed is False for check in checks) <= 60 * 0.01 + 2 * np.sqrt(60 * 0.01 * 0.99)
    covered = sum(c.metrics["auc"].low <= 0.5 <= c.metrics["auc"].high for c in checks)
    assert covered >= 60 * 0.85  # the best of three learners is shown


def test_a_fair_split_passes():
    check = instrument.blind_baseline(fair(0), 0, 1_000)
    assert check.passed is True
    assert "words, length, characters and dates" in check.explanation


@pytest.mark.parametrize("shift", ["years", "length", "words", "signs"])
def test_blind_baseline_sees_what_shifts(shift):
    texts, rng = load_prose(300, 1), np.random.default_rng(0)
    later = texts[150:]
    if shift == "years":  # no year stands in two documents: only that they are later can be learned
        first, second = rng.permutation(np.arange(1650, 1800))[:150], rng.permutation(np.arange(1830, 1980))[:150]
        texts = [f"{text} It was {year}." for text, year in zip(texts[:150], first, strict=True)] + texts[150:]
        later = [f"{text} It was {year}." for text, year in zip(later, second, strict=True)]
    elif shift == "length":
        later = [text[: int(0.6 * len(text))] for text in later]
    elif shift == "words":
        later = [text.replace(" her ", " their ").replace(" she ", " they ") for text in later]
    else:
        later = [text.replace(",", ";") for text in later]
    check = instrument.blind_baseline(Split(documents(texts[:150]), documents(later)), 0, 1_000)
    assert check.passed is False
    assert check.metrics["auc"].low > 0.5


def test_a_shifted_split_makes_findings_inconclusive_however_loud():
    texts = load_prose(160, 2)
    members, others = [f"{t} (1811)" for t in texts[:80]], [f"{t} (1999)" for t in texts[80:]]
    data, ctx = Split(documents(members), documents(others)), Context()
    words = str.maketrans(dict.fromkeys(set("".join(texts)) - set(text_zoo.ALPHABET), " "))
    model = text_zoo.Ngrams([text.translate(words) for text in members], 4)
    found = TextLoss().run(model, data, ctx)
    assert found.outcome is Outcome.LEAK
    checks = {"blind_baseline": instrument.blind_baseline(data, 0, 1_000)}
    (settled,) = settle([found], doubts(checks))
    assert settled.outcome is Outcome.INCONCLUSIVE
    assert "the split leaks, not the model" in settled.reason


def test_a_twin_that_memorizes_documents_is_caught():
    check = instrument.positive_control(fair(3, 60), 0)
    assert check.passed is True
    assert check.metrics["auc"].low > 0.9


def test_the_twin_is_not_caught_where_there_is_nothing_to_remember():
    same = documents(["The same words in every document."] * 50)
    assert instrument.positive_control(Split(same, same), 0).passed is False


def test_the_twin_is_a_table_of_what_followed():
    texts = ["abcabcabcab", "abcabcx", "", "zzzzzzzzz"]
    got = _documents.twin_scores(texts, 2)
    kinds = len(set("".join(texts))) + 1
    known = ["\0" * 6 + text for text in texts[:2]]
    for text, score in zip(texts, got, strict=True):
        marked, logs = "\0" * 6 + text, []
        for i in range(6, len(marked)):
            places = [(t, j) for t in known for j in range(6, len(t)) if t[j - 6 : j] == marked[i - 6 : i]]
            right = sum(t[j] == marked[i] for t, j in places)
            logs.append(np.log((right + 1 / kinds) / (len(places) + 1)))
        assert score == pytest.approx(np.mean(logs) if logs else 0.0)


def test_years_and_months_are_read():
    told = _documents.traits(["In May 1811, not 1815.", "No. 12,345 and 20155 are no years; 1200 is too old.", ""])
    few = told[:, -5:]
    np.testing.assert_array_equal(few[0], [2, 1811, 1813, 1815, 0])
    np.testing.assert_array_equal(few[1:, 0], [0, 0])
    assert np.isnan(few[1:, 1:4]).all()
    assert _documents.traits(["On the first of January and in march"])[0, -1] == 2


def test_a_year_that_one_document_names_stops_nothing():
    texts = load_prose(60, 3)
    data = Split(documents([texts[0] + " (1811)", *texts[1:30]]), documents(texts[30:]))
    assert instrument.blind_baseline(data, 0, 1_000).passed is True


def test_odd_documents_do_not_stop_the_baseline():
    odd = ["", " ", "a", "日本語の文章", "\n\n", "1999"] * 20
    data = Split(Records(documents(odd).X, np.zeros(120)), documents(odd))
    assert instrument.blind_baseline(data, 0, 1_000).passed is True
