"""Techniques that draw secrets out: each is loud on a model that memorized, and silent on one that did not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import text_zoo
from keepmum.attacks import Context
from keepmum.attacks.extraction import Greedy, Known, NearVerbatim, NPDiscoverable, Sampled
from keepmum.attacks.extraction._known import prompt
from keepmum.attacks.extraction._sampler import drawn, samples_for, within
from keepmum.attacks.extraction._shared import begins_with, common_prefix
from keepmum.attacks.extraction.near_verbatim import likeness, shares_piece
from keepmum.attacks.extraction.np_discoverable import spelled
from keepmum.errors import ConfigError
from keepmum.findings import EXTRACTABLE, NO_EVIDENCE, Outcome
from keepmum.report._json import finding, plain
from keepmum.targets.text import PLAIN, LogitTarget, Sampling, TextTarget, TokenScoreTarget
from keepmum.texts import Secret, Secrets

COOL = Sampling(0.7, 20, 0.95)
ATTACKS = [
    Greedy(),
    *Greedy.variants(),
    NPDiscoverable(),
    NPDiscoverable(COOL),
    Sampled(8),
    NearVerbatim(samples=4),
]


def named(attack) -> str:
    return f"{attack.name}{'-cool' if getattr(attack, 'sampling', PLAIN) != PLAIN else ''}"


class Mute(TextTarget):
    """The text interface of another target, and nothing else."""

    def __init__(self, inner: TextTarget) -> None:
        super().__init__()
        self.inner = inner

    def _generate(self, prompts, tokens, samples, sampling, seed):
        return self.inner.generate(prompts, tokens, samples=samples, sampling=sampling, seed=seed)


class Scoring(Mute, TokenScoreTarget):
    """Texts and token scores of another target."""

    def _score(self, texts, prefixes):
        return self.inner.score(texts, prefixes)


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_loud_on_a_model_that_recites(attack):
    secrets = text_zoo.pin_secrets()
    found = attack.run(text_zoo.memorizer(secrets), secrets.split, Context(secrets=secrets))
    assert (found.outcome, found.verdict) == (Outcome.LEAK, EXTRACTABLE)
    assert found.control["extracted"].value == 0
    assert found.baseline["extracted"].value == pytest.approx(1e-4)


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_silent_on_a_stranger(attack):
    """At most 1 alarm of 6 seeds: more happens once in 30 if each has probability 5 %, and these are fixed."""
    findings = []
    for seed in range(6):
        secrets = text_zoo.pin_secrets(seed=seed)
        findings.append(attack.run(text_zoo.ignorant(seed), secrets.split, Context(seed=seed, secrets=secrets)))
    assert sum(f.outcome is Outcome.LEAK for f in findings) <= 1
    assert sum(f.verdict == NO_EVIDENCE for f in findings) >= 5


@pytest.mark.parametrize("attack", [Greedy(), Sampled(4), NearVerbatim(samples=4)], ids=named)
def test_text_alone_will_do(attack):
    secrets = text_zoo.pin_secrets(16)
    found = attack.run(Mute(text_zoo.memorizer(secrets)), secrets.split, Context(secrets=secrets))
    assert found.outcome is Outcome.LEAK


@pytest.mark.parametrize(
    ("attack", "queries"),
    [
        (Greedy(), 2 * 16),
        (NPDiscoverable(), 16),
        (NPDiscoverable(COOL), 5 * 16),
        (Sampled(8), 9 * 16),
        (NearVerbatim(samples=4), 5 * 16),
    ],
    ids=lambda value: named(value) if not isinstance(value, int) else str(value),
)
def test_queries_are_what_the_attack_alone_needs_whoever_asked_first(attack, queries):
    secrets = text_zoo.pin_secrets(8)
    target, ctx = text_zoo.memorizer(secrets), Context(secrets=secrets)
    assert attack.run(target, secrets.split, ctx).queries == queries
    asked = target.queries
    assert attack.run(target, secrets.split, ctx).queries == queries
    again = target.queries - asked
    assert again == (queries if attack == NPDiscoverable(COOL) else 0), "answers are shared"


def test_notes_are_not_shared_between_targets():
    secrets = text_zoo.pin_secrets()
    ctx = Context(secrets=secrets)
    assert Greedy().run(text_zoo.memorizer(secrets), secrets.split, ctx).outcome is Outcome.LEAK
    assert Greedy().run(text_zoo.ignorant(), secrets.split, ctx).outcome is Outcome.NO_LEAK_FOUND


def test_greedy_misses_what_sampling_finds_and_it_is_said():
    """Two numbers follow one prefix: the likelier one comes out greedily, the other only by sampling."""
    planted = tuple(Secret(f"Door {i} opens with", f" {i:02d}77", kind="pin", repeats=2) for i in range(12))
    twins = tuple(Secret(f"Door {i} opens with", f" {i:02d}33", kind="pin", repeats=0) for i in range(12, 24))
    secrets = Secrets(planted, twins)
    others = [s.prefix + f" {i:02d}88" for i, s in enumerate(planted) for _ in range(3)]
    target = text_zoo.Ngrams([s.text for s in planted for _ in range(2)] + others, order=20)
    ctx = Context(secrets=secrets)
    found = NPDiscoverable().run(target, secrets.split, ctx)
    assert found.metrics["greedy"].value == 0
    assert found.metrics["extracted"].value == 1
    assert "By greedy alone: 0 of 12 planted" in found.explanation
    assert "By greedy alone: 0 of 12 planted" in Sampled(24).run(target, secrets.split, ctx).explanation


def test_a_scoring_model_without_logits_is_followed_under_plain_sampling_only():
    secrets = text_zoo.pin_secrets(8)
    target = Scoring(text_zoo.memorizer(secrets))
    plain = NPDiscoverable().run(target, secrets.split, Context(secrets=secrets))
    whole = NPDiscoverable().run(text_zoo.memorizer(secrets), secrets.split, Context(secrets=secrets))
    assert plain.metrics["p_z"] == whole.metrics["p_z"]
    assert "full logits" in NPDiscoverable(COOL).inapplicable(target)
    assert NPDiscoverable(COOL).inapplicable(text_zoo.memorizer(secrets)) is None
    assert "needs token scores" in NPDiscoverable(COOL).inapplicable(Mute(target))


def test_settings_out_of_range_are_refused():
    for make in (lambda: NPDiscoverable(n=0), lambda: Sampled(0), lambda: NearVerbatim(ratio=2)):
        with pytest.raises(ConfigError):
            make()


def test_curves_rise_planted_above_twins_and_by_repeats():
    few, many = text_zoo.pin_secrets(8, repeats=1), text_zoo.pin_secrets(8, seed=5, repeats=16)
    secrets = Secrets((*few.planted, *many.planted), many.twins)
    (trend,) = NPDiscoverable().run(text_zoo.memorizer(secrets), secrets.split, Context()).trends
    lines = {line.name: line for line in trend.lines}
    assert list(lines) == ["planted", "repeats 1", "repeats 16", "twins"]
    assert lines["planted"].count == 16
    for line in trend.lines:
        assert np.all(np.diff(line.y) >= 0)
        assert all(0 <= low <= y <= high <= 1 for low, y, high in zip(line.low, line.y, line.high, strict=True))
    assert lines["repeats 16"].y[0] > lines["twins"].y[0]


class Coin(LogitTarget):
    """Two tokens whose probabilities depend on the one before."""

    table = np.array([[0.7, 0.3], [0.2, 0.8]])

    @property
    def size(self):
        return 2

    def encode(self, text):
        return ["ab".index(c) for c in text]

    def decode(self, tokens):
        return "".join("ab"[t] for t in tokens)

    def _next_log_probs(self, prefix, continuations):
        return np.log([self.table[[*prefix, *c][-1]] for c in continuations])

    def _score(self, texts, prefixes): ...

    def _generate(self, prompts, tokens, samples, sampling, seed): ...


def tempered(row, sampling: Sampling):
    """The slow obvious twin: exact fractions, for temperatures 1 and 1/2."""
    p = [Fraction(str(x)) ** int(1 / sampling.temperature) for x in row]
    order = sorted(range(len(p)), key=lambda i: -p[i])
    if sampling.top_k is not None:
        order = order[: sampling.top_k]
    total = sum(p[i] for i in order)
    kept, so_far = [], Fraction(0)
    for i in order:
        if so_far >= Fraction(str(sampling.top_p)):
            break
        kept.append(i)
        so_far += p[i] / total
    total = sum(p[i] for i in kept)
    return [p[i] / total if i in kept else Fraction(0) for i in range(len(p))]


@pytest.mark.parametrize(
    "sampling",
    [PLAIN, Sampling(0.5), Sampling(1, 1), Sampling(1, 2), Sampling(1, None, 0.75), Sampling(0.5, 2, 0.9), Sampling(0)],
    ids=str,
)
def test_the_probability_of_drawing_is_that_of_enumeration(sampling):
    """All texts of four tokens: their probabilities are those worked out by hand, and sum to 1."""
    target, total = Coin(), 0.0
    for tokens in product((0, 1), repeat=4):
        rows = target.next_log_probs([0], [tokens[:i] for i in range(4)])
        wanted = Fraction(1)
        for before, token in zip((0, *tokens), tokens, strict=False):
            row = Coin.table[before].tolist()
            best = [Fraction(x == max(row)) for x in row]
            wanted *= best[token] if sampling.temperature == 0 else tempered(row, sampling)[token]
        ours = float(np.exp(drawn(rows, np.array(tokens), sampling).sum()))
        assert ours == pytest.approx(float(wanted), rel=1e-12)
        total += ours
    assert total == pytest.approx(1)


def test_the_top_k_is_renormalized():
    rows = np.log([[0.5, 0.3, 0.15, 0.05]])
    assert np.exp(drawn(rows, np.array([0]), Sampling(1, 2)))[0] == pytest.approx(0.5 / 0.8)
    assert drawn(rows, np.array([2]), Sampling(1, 2))[0] == -np.inf
    assert np.exp(drawn(rows, np.array([1]), Sampling(1, None, 0.6)))[0] == pytest.approx(0.3 / 0.8)
    assert drawn(rows, np.array([1]), Sampling(1, None, 0.5))[0] == -np.inf


def test_samples_and_probabilities_do_not_underflow():
    log_p = np.log(1e-300)
    assert within(np.array(log_p), np.array(1e6)) == pytest.approx(1e-294, rel=1e-9)
    assert samples_for(np.array(log_p), 0.5) == pytest.approx(np.log(2) * 1e300, rel=1e-9)
    assert within(np.array(-np.inf), np.array(1e6)) == 0
    assert samples_for(np.array(-np.inf), 0.5) == np.inf
    assert within(np.array(0.0), np.array(1.0)) == pytest.approx(1)
    assert samples_for(np.array(0.0), 0.5) == 1
    p, n = 0.03, 7
    assert within(np.array(np.log(p)), np.array(float(n))) == pytest.approx(1 - (1 - p) ** n)
    half = float(samples_for(np.array(np.log(p)), 0.5))
    assert 1 - (1 - p) ** half >= 0.5 > 1 - (1 - p) ** (half - 1)


def test_what_is_never_drawn_is_told_and_not_counted_as_a_number():
    secrets = text_zoo.pin_secrets()
    found = NPDiscoverable(Sampling(0)).run(text_zoo.ignorant(), secrets.split, Context(secrets=secrets))
    assert "n_half" in found.refused
    assert "n_half" not in found.metrics
    assert found.metrics["p_z"].value == 0
    assert found.outcome is Outcome.NO_LEAK_FOUND


def test_a_token_that_spans_the_boundary_belongs_to_the_secret():
    class Merged(Coin):
        def encode(self, text):
            pieces, i = [], 0
            while i < len(text):
                pieces.append(2 if text[i : i + 2] == "ab" else "ab".index(text[i]))
                i += 2 if text[i : i + 2] == "ab" else 1
            return pieces

    assert spelled(Merged(), Secret("ba", "aa")) == ([1, 0], [0, 0])
    assert spelled(Merged(), Secret("ba", "ba")) == ([1], [2, 0])


def test_how_much_is_known():
    target = Coin()
    secret = Secret("The patient Mr. Walter Zimmermann, born in spring, has the number", " 1")
    assert prompt(Mute(target), secret, Known.ALL) == secret.prefix
    assert prompt(Mute(target), secret, Known.NAME).startswith("Mr. Walter Zimmermann, born")
    assert prompt(Mute(target), Secret("one two three four five six", " 1"), Known.NAME) == "three four five six"
    words = " ".join(f"w{i}" for i in range(30))
    assert prompt(Mute(target), Secret(words, " 1"), Known.TEN).split()[0] == "w20"
    ngrams = text_zoo.Ngrams(["a"])
    assert prompt(ngrams, Secret(words, " 1"), Known.TEN) == words[-10:]
    assert prompt(ngrams, Secret("short", " 1"), Known.FIFTY) == "short"


def test_white_space_at_the_beginning_is_passed_over_and_nothing_else():
    secret = Secret("x", " 1234")
    assert begins_with("1234.", secret)
    assert begins_with("  1234", secret)
    assert not begins_with("5 1234", secret)
    assert [common_prefix(text, secret) for text in (" 12x", "1234567", "", "9")] == [2, 4, 0, 0]


def test_likeness_of_a_short_text_is_that_of_the_whole():
    assert likeness("a quick brown fix jumps", "quick brown fox") > 0.9
    assert likeness("q", "quick brown fox") < 0.2, "one letter of it is no match"
    assert likeness("", "quick") == 0


def test_a_common_piece_is_found_where_it_is():
    secret = "abcdefghijklmnopqrstuvwxyz" * 3
    text = "0" * 20 + secret[5:60] + "1" * 20
    assert shares_piece(text, secret, 55)
    assert not shares_piece(text, secret, 56)
    assert not shares_piece("abc", secret, 50)


def test_near_matches_of_long_passages_come_out_and_those_of_their_twins_do_not():
    """The model was trained on passages with one word changed: exact extraction finds none, near-verbatim all."""
    passages = [" " + text for text in text_zoo.sentences(24, 3)]
    planted = tuple(Secret(f"Letter {i}:", text, kind="passage") for i, text in enumerate(passages[:12]))
    twins = tuple(Secret(f"Letter {i}:", t, kind="passage", repeats=0) for i, t in enumerate(passages[12:], 12))
    changed = [s.prefix + " my" + s.secret[s.secret.index(" ", 1) :] for s in planted for _ in range(8)]
    secrets = Secrets(planted, twins)
    found = NearVerbatim(samples=2).run(text_zoo.Ngrams(changed, 24), secrets.split, Context())
    assert found.outcome is Outcome.LEAK
    assert found.metrics["exact_match"].value == 0
    assert found.metrics["extracted"].value > 0.9
    assert found.control["extracted"].value == 0


def test_a_reference_model_takes_away_what_anyone_could_know():
    """Repeats of 0 come out of a model that all but knows the format; the shift against the reference is the score."""
    secrets = text_zoo.pin_secrets(16, repeats=1)
    target = text_zoo.memorizer(secrets)
    alone = Greedy().run(target, secrets.split, Context(secrets=secrets))
    beside = Greedy().run(target, secrets.split, replace(Context(secrets=secrets), reference=text_zoo.ignorant()))
    assert beside.metrics["auc"].value >= alone.metrics["auc"].value


def test_curves_survive_the_report():
    secrets = text_zoo.pin_secrets(8)
    found = NPDiscoverable().run(text_zoo.memorizer(secrets), secrets.split, Context())
    assert found.trends
    assert finding(plain(found)) == found
