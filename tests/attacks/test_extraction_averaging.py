"""Noise on scores is asked away, where it is drawn anew."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

import text_zoo
from keepmum.attacks import Context
from keepmum.attacks.extraction import Averaging
from keepmum.attacks.extraction.averaging import answers_differ
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.findings import Outcome
from keepmum.targets._tree import Grown
from keepmum.targets.noisy_text import NoisyScores
from keepmum.targets.text import TokenScoreTarget
from keepmum.texts import Secret, Secrets


def short_pins(n: int = 8, seed: int = 0) -> Secrets:
    """Numbers of three digits: a space of 1,000."""
    rng = np.random.default_rng(seed)
    digits = "0123456789"

    def some(start: int, repeats: int) -> tuple[Secret, ...]:
        rows = enumerate(rng.integers(0, 1000, n))
        return tuple(Secret(f"The code of {start + i} is", f" {d:03d}", kind="pin", repeats=repeats) for i, d in rows)

    return Secrets(some(100, 2), some(200, 0), {"pin": 1e3}, {"pin": (" ", digits, digits, digits)})


class Scoring(TokenScoreTarget):
    """Token scores of another target; noise on them if wished."""

    ceiling = np.inf

    def __init__(self, inner, sd=0.0):
        super().__init__()
        self.inner, self.sd, self.rng = inner, sd, np.random.default_rng(1)

    def _score(self, texts, prefixes):
        scored = self.inner.score(texts, prefixes)
        for each in scored:
            each.log_probs[:1] += self.rng.normal(0, self.sd)
        return scored

    def _generate(self, prompts, tokens, samples, sampling, seed):
        return self.inner.generate(prompts, tokens, samples=samples, sampling=sampling, seed=seed)


def test_the_tree_gives_the_scores_of_each_text():
    secrets = short_pins()
    target = text_zoo.memorizer(secrets)
    texts = [" 123", " 124", " 1", " 999", " 123"]
    plain = [scored.total for scored in target.score(texts, ["The code of 100 is"] * 5)]
    target.queries = 0
    assert Grown().scores(target, "The code of 100 is", texts) == pytest.approx(plain)
    assert target.queries == 6, "nothing, blank, 1, 12, 9, 99"
    assert Grown().scores(target, "", ["ab"]) == pytest.approx([target.score(["ab"])[0].total])
    assert len(Grown().scores(target, "x", [])) == 0


def test_a_tree_that_was_grown_serves_other_prefixes_and_other_texts_grow_another():
    target, grown = text_zoo.memorizer(short_pins()), Grown()
    for prefix, texts in (("The code of 100 is", [" 12", " 13"]), ("Code", [" 12", " 13"]), ("Code", [" 9"])):
        tree = grown.tree
        ours = grown.scores(target, prefix, texts)
        assert ours == pytest.approx([scored.total for scored in target.score(texts, [prefix] * len(texts))])
        assert (grown.tree is tree) == (prefix == "Code" and len(texts) == 2)


def test_the_tree_retreats_where_a_token_spans_the_boundary():
    class Merged(text_zoo.Ngrams):
        """Writes "is " as a letter of its own, so that "is" + " 1" is not "is" and then " 1"."""

        def encode(self, text):
            return [self.places["~"] if c == "~" else self.places[c] for c in text.replace("is ", "~")]

    target = Merged(["The code~123", "The code~456"])
    ours = Grown().scores(target, "The code is", [" 123", " 777"])
    whole = target.encode("The code is 123")
    rows = target.next_log_probs(whole[:9], [whole[9:i] for i in range(9, len(whole))])
    assert ours[0] == pytest.approx(rows[np.arange(len(rows)), whole[9:]].sum())


def test_noise_is_undone_by_asking_again():
    """Half of the exposure is gone with one question, all of it is back with a thousand; twins stay where they are."""
    secrets = short_pins(12)
    inner = text_zoo.memorizer(secrets)
    clean = Averaging().run(inner, secrets.split, Context(secrets=secrets))
    noisy = NoisyScores(inner, 10.0)
    found = Averaging().run(noisy, secrets.split, Context(secrets=secrets))
    whole = clean.metrics["exposure_1"].value
    assert found.metrics["exposure_1"].value < 0.75 * whole
    assert found.metrics["exposure_1000"].value >= 0.95 * whole
    assert found.control["exposure_1000"].value < 4
    assert found.outcome is Outcome.LEAK
    assert found.queries == 8 + 24 * 1000 * 1000
    assert "not memoized" in found.explanation
    (trend,) = found.trends
    assert trend.x == (1, 10, 100, 1000)
    assert [line.name for line in trend.lines] == ["planted", "twins"]
    assert found.baseline["extracted"].value == pytest.approx(1e-3)


def test_memoized_noise_stays_and_it_is_said():
    secrets = short_pins(12)
    target = NoisyScores(text_zoo.memorizer(secrets), 10.0, memoized=True)
    assert not answers_differ(target, secrets.planted)
    found = Averaging().run(target, secrets.split, Context(secrets=secrets))
    assert "asking again is vain" in found.explanation
    assert found.queries == 8 + 24 * 1000
    assert found.trends[0].x == (1,)
    first, second = (target.mean_scores([" 123"], ["x"], times)[0] for times in (1, 50))
    assert first == second


@pytest.mark.slow
def test_silent_on_a_stranger():
    leaks = 0
    for seed in range(6):
        secrets = short_pins(12, seed)
        target = NoisyScores(text_zoo.ignorant(seed), 3.0, seed=seed)
        ctx = Context(seed=seed, secrets=secrets)
        leaks += Averaging((1, 10)).run(target, secrets.split, ctx).outcome is Outcome.LEAK
    assert leaks <= 1


def test_a_mean_at_once_is_distributed_as_asking():
    """The shortcut against the slow obvious twin, and against theory."""
    inner = text_zoo.Ngrams(["abc"])
    target = NoisyScores(inner, 2.0)
    truth = inner.score(["bc"], ["a"])[0].total
    at_once = np.array([target.mean_scores(["bc"], ["a"], 16)[0] for _ in range(400)])
    assert kstest((at_once - truth) / 0.5, "norm").pvalue > 1e-3
    asked = [np.mean([target.score(["bc"], ["a"])[0].total for _ in range(16)]) for _ in range(200)]
    assert kstest((np.array(asked) - truth) / 0.5, "norm").pvalue > 1e-3
    before = target.queries
    target.mean_scores(["bc", "cb"], ["a", "a"], 16)
    assert target.queries == before + 32


def test_rounded_noise_is_averaged_by_real_draws():
    inner = text_zoo.Ngrams(["abc"])
    truth = inner.score(["bc"], ["a"])[0].total
    target = NoisyScores(inner, 2.0, decimals=-1)
    told = {target.score(["bc"], ["a"])[0].total for _ in range(40)}
    assert all(value % 10 == 0 for value in told)
    assert target.mean_scores(["bc"], ["a"], 4000)[0] == pytest.approx(10 * round(truth / 10), abs=10)
    still = NoisyScores(inner, 0.0, decimals=0)
    assert still.score(["bc"], ["a"])[0].total == still.mean_scores(["bc"], ["a"], 9)[0] == round(truth)


def test_a_server_with_noise_is_really_asked_and_within_patience():
    secrets = short_pins(6)
    target = Scoring(text_zoo.memorizer(secrets), 3.0)
    found = Averaging(decoys=7, patience=1000).run(target, secrets.split, Context(secrets=secrets))
    assert found.trends[0].x == (1, 10)
    assert found.queries == target.queries == 8 + 12 * 8 * 10
    assert found.metrics["exposure_10"].value >= found.metrics["exposure_1"].value


def test_a_server_without_noise_is_asked_once():
    secrets = short_pins(6)
    target = Scoring(text_zoo.memorizer(secrets))
    found = Averaging(decoys=7).run(target, secrets.split, Context(secrets=secrets))
    assert found.queries == 8 + 12 * 8
    assert found.outcome is Outcome.LEAK


def test_queries_left_bound_the_times():
    secrets = short_pins(6)
    target = NoisyScores(text_zoo.memorizer(secrets), 3.0)
    found = Averaging().run(target, secrets.split, Context(secrets=secrets, queries_left=12 * 1000 * 10 + 8))
    assert found.trends[0].x == (1, 10)
    with pytest.raises(NotApplicableError, match="12,008 queries"):
        Averaging().run(target, secrets.split, Context(secrets=secrets, queries_left=100))


def test_settings_out_of_range_are_refused():
    for make in (lambda: Averaging(()), lambda: Averaging((10, 1)), lambda: Averaging((0, 1))):
        with pytest.raises(ConfigError):
            make()
    with pytest.raises(ConfigError):
        NoisyScores(text_zoo.Ngrams(["a"]), -1.0)
