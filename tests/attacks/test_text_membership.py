"""Membership attacks on documents: loud on memory, silent without, and each formula against a slow and obvious twin."""

from __future__ import annotations

import math
import zlib
from dataclasses import replace

import numpy as np
import pytest

import zoo
from document_zoo import ORDER, N, Open, brief, lines, played_on, split, train
from keepmum.attacks import Context, attack_classes
from keepmum.attacks.membership import text as family
from keepmum.attacks.membership.text._base import TextMembershipAttack
from keepmum.attacks.membership.text._windows import pieces, read
from keepmum.attacks.membership.text.ngram_coverage import coverage, ending, halved
from keepmum.attacks.membership.text.text_combination import crossed
from keepmum.attacks.membership.text.text_lira import likelihood_ratio
from keepmum.attacks.membership.text.text_neighborhood import neighbor
from keepmum.choices import Effort
from keepmum.data import Split
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.findings import Outcome
from keepmum.targets._remembered import remembered
from keepmum.targets.text import Scored, TextTarget, TokenScoreTarget
from keepmum.texts import documents

CLASSES = [cls for cls in attack_classes() if issubclass(cls, TextMembershipAttack)]
QUICK = [brief(cls()) for cls in CLASSES]


def named(attack: TextMembershipAttack) -> str:
    return attack.id.split("/")[1]


def play(attack: TextMembershipAttack, seed: int, knows: bool):
    there = played_on(attack, knows, seed)
    ctx = Context(seed=seed, reference=there.reference, games=GAMES.setdefault((seed, knows), {}))
    return attack.run(there.target, there.split, ctx.lend(attack.name))


GAMES: dict[tuple[int, bool], dict[str, object]] = {}
"""What attacks share, by model."""


def test_every_text_attack_is_here():
    names = {cls.id.split("/")[1] for cls in CLASSES}
    assert names >= {"text-loss", "min-k", "min-k-plus-plus", "text-reference", "ez", "wbc", "recall", "ngram-coverage"}
    assert len(names) == 14


@pytest.mark.parametrize("attack", QUICK, ids=named)
def test_loud_on_memory_and_scores_point_up(attack):
    found = play(attack, 0, True)
    assert found.outcome is Outcome.LEAK
    assert found.metrics["auc"].low > 0.6
    assert found.control["auc"].low < 0.5 < found.control["auc"].high


@pytest.mark.slow
@pytest.mark.parametrize("attack", QUICK, ids=named)
def test_silent_on_a_model_that_never_saw_the_members(attack):
    """At most 4 alarms of 20 at level 5 %: more happens once in 400."""
    assert sum(play(attack, seed, False).outcome is Outcome.LEAK for seed in range(20)) <= 4


@pytest.mark.parametrize("attack", QUICK, ids=named)
def test_silent_on_a_few_models(attack):
    """At most 2 alarms of 4: more happens once in 2,000."""
    assert sum(play(attack, seed, False).outcome is Outcome.LEAK for seed in range(4)) <= 2


COSTS = {
    "text-lowercase": 2 * 2 * N,
    "text-neighborhood": 2 * N * 4,
    "recall": 2 * 2 * N,
    "ngram-coverage": 2 * N * 4,
    "text-combination": 2 * (2 * N + N),
}
"""Queries of those who ask about more than each document once; the last also about the next part's non-members."""


@pytest.mark.parametrize("attack", QUICK, ids=named)
def test_queries_are_exact_and_a_second_attack_costs_none(attack):
    data = split(5)
    target, ctx = train(list(data.members.X)), Context(reference=train(lines(N, 7)))
    found = attack.run(target, data, ctx.lend(attack.name))
    expected = COSTS.get(named(attack), 2 * N)
    assert found.queries == target.queries == expected
    known, asked = remembered(target), ctx.reference.queries
    again = attack.run(known, data, ctx.lend(attack.name))
    assert (again.queries, again.metrics) == (expected, found.metrics)
    assert ctx.reference.queries == asked, "the reference is asked once for all attacks"
    spent = target.queries
    family.TextLoss().run(known, data, ctx.lend("membership/text-loss"))
    if not isinstance(attack, (family.NgramCoverage, family.TextGradientNorm)):
        assert target.queries == spent


def test_needs_documents_and_stays_away_from_tables():
    for attack in QUICK:
        assert attack.unsuited(zoo.people(10, 0)) is not None
        assert not attack.fits(zoo.people(10, 0), Effort.STANDARD)
        assert attack.fits(documents(["a"]), Effort.STANDARD)
        assert "the target offers gradients" in attack.inapplicable(zoo.Lookup(zoo.people(10, 0)))
    with pytest.raises(NotApplicableError, match="needs documents"):
        family.TextLoss().score(train(["a"]), zoo.people(10, 0), Context())


def test_names_what_is_missing():
    data, target = split(0), train(["abc"])
    for attack in (family.TextReference(), family.Ez(), family.Wbc()):
        with pytest.raises(NotApplicableError, match="reference model"):
            attack.run(target, data, Context())
    with pytest.raises(NotApplicableError, match="train models like the target"):
        family.TextLira().run(target, data, Context())
    bare = Given({text: one(np.zeros(len(text)), text) for text in data.pool.X})
    with pytest.raises(NotApplicableError, match="likeliest"):
        family.Ez().run(bare, data, Context(reference=bare))
    with pytest.raises(NotApplicableError, match="mean and spread"):
        family.MinKPlusPlus().rate(bare, [data.pool.X[0]], Context())
    other = Given({text: one(np.zeros(1), "") for text in data.pool.X})
    with pytest.raises(NotApplicableError, match="target's tokens"):
        family.Wbc().run(bare, data, Context(reference=other))


@pytest.mark.parametrize(
    "make",
    [
        lambda: family.MinK(share=0.0),
        lambda: family.MinKPlusPlus(share=1.5),
        lambda: family.Ez(smoothing=0.0),
        lambda: family.Wbc(shortest=5, longest=2),
        lambda: family.TextNeighborhood(neighbors=0),
        lambda: family.Recall(shots=0),
        lambda: family.NgramCoverage(samples=0),
        lambda: family.TextLira(models=3),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(ConfigError, match="expected"):
        make()


class Given(TokenScoreTarget):
    """Says of each text what it was told to say."""

    def __init__(self, answers: dict[str, Scored]) -> None:
        super().__init__()
        self.answers = answers

    def _score(self, texts, prefixes):
        return [self.answers[text] for text in texts]

    def _generate(self, prompts, tokens, samples, sampling, seed):
        return [["" for _ in range(samples)] for _ in prompts]


def one(logs, text="", likeliest=None, means=None, spreads=None) -> Scored:
    tokens = tuple(f"t{i}" for i in range(len(logs)))
    return Scored(tokens, np.arange(len(logs)), np.asarray(logs, dtype=float), likeliest, means, spreads)


def drawn(seed: int, texts: list[str]) -> tuple[dict[str, Scored], dict[str, Scored]]:
    """Made-up answers of a target and a reference with the same tokens."""
    rng = np.random.default_rng(seed)
    mine, other = {}, {}
    for text in texts:
        n = int(rng.integers(1, 90))
        mine[text] = one(
            -rng.exponential(2, n), text, rng.random(n) < 0.5, -rng.exponential(2, n), rng.exponential(1, n)
        )
        other[text] = one(-rng.exponential(2, n), text)
    return mine, other


TEXTS = [*lines(30, 3), "A", "Bb b", "Ünï cödé"]


def test_loss_zlib_and_reference_are_what_they_say():
    mine, other = drawn(0, TEXTS)
    ctx = Context(reference=Given(other))
    target = Given(mine)
    for text, loss, ratio, against in zip(
        TEXTS,
        family.TextLoss().rate(target, TEXTS, ctx),
        family.TextZlib().rate(target, TEXTS, ctx),
        family.TextReference().rate(target, TEXTS, ctx),
        strict=True,
    ):
        logs = mine[text].log_probs.tolist()
        assert loss == pytest.approx(sum(logs) / len(logs))
        assert ratio == pytest.approx(sum(logs) / len(zlib.compress(text.encode())))
        assert against == pytest.approx(sum(logs) - sum(other[text].log_probs.tolist()))


@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
def test_min_k_is_the_mean_of_the_lowest(share):
    mine, _ = drawn(1, TEXTS)
    got = family.MinK(share=share).rate(Given(mine), TEXTS, Context())
    plus = family.MinKPlusPlus(share=share).rate(Given(mine), TEXTS, Context())
    for text, value, better in zip(TEXTS, got, plus, strict=True):
        logs, count = sorted(mine[text].log_probs.tolist()), max(1, int(share * len(mine[text].log_probs)))
        assert value == pytest.approx(sum(logs[:count]) / count)
        columns = (mine[text].log_probs, mine[text].means, mine[text].spreads)
        triples = zip(*map(np.ndarray.tolist, columns), strict=True)
        standard = sorted((p - m) / max(s, 1e-3) for p, m, s in triples)
        assert better == pytest.approx(sum(standard[:count]) / count)


def test_ez_counts_where_the_model_is_wrong():
    mine, other = drawn(2, TEXTS)
    mine["sure"], other["sure"] = one([-0.1, -0.2], likeliest=np.array([True, True])), one([-1.1, -0.1])
    texts = [*TEXTS, "sure"]
    got = family.Ez().rate(Given(mine), texts, Context(reference=Given(other)))
    for text, value in zip(texts, got, strict=True):
        gains = losses = 0.0
        for ours, theirs, right in zip(mine[text].log_probs, other[text].log_probs, mine[text].likeliest, strict=True):
            if not right or mine[text].likeliest.all():
                gains += max(ours - theirs, 0)
                losses += max(theirs - ours, 0)
        assert value == pytest.approx(math.log((gains + 1) / (losses + 1)))
    assert got[-1] == pytest.approx(math.log(2.0 / 1.1)), "a text without an error counts as a whole"


def test_wbc_lets_every_window_vote():
    mine, other = drawn(3, TEXTS)
    mine["tie"], other["tie"] = one([-1.0, -2.0]), one([-2.0, -1.0])
    texts = [*TEXTS, "tie"]
    got = family.Wbc().rate(Given(mine), texts, Context(reference=Given(other)))
    sizes = sorted({round(2 * 20 ** (i / 9)) for i in range(10)})
    assert (sizes[0], sizes[-1]) == (2, 40)
    for text, value in zip(texts, got, strict=True):
        shift = (mine[text].log_probs - other[text].log_probs).tolist()
        shares = []
        for size in [s for s in sizes if s <= len(shift)] or [len(shift)]:
            votes = []
            for start in range(len(shift) - size + 1):
                total = sum(shift[start : start + size])
                votes.append(0.5 if abs(total) < 1e-12 else float(total > 0))
            shares.append(sum(votes) / len(votes))
        assert value == pytest.approx(sum(shares) / len(shares))
    assert got[-1] == 0.5


def test_likelihood_ratio_is_that_of_two_normals():
    from scipy.stats import norm

    rng = np.random.default_rng(0)
    inside = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=bool)
    signals, own = rng.normal(size=(4, 3)), rng.normal(size=3)
    sides = []
    for chosen in (inside, ~inside):
        centers = [np.mean([signals[k, i] for k in range(4) if chosen[k, i]]) for i in range(3)]
        squares = [(signals[k, i] - centers[i]) ** 2 for k in range(4) for i in range(3) if chosen[k, i]]
        sides.append([norm.logpdf(own[i], centers[i], math.sqrt(sum(squares) / 3)) for i in range(3)])
    expected = np.array(sides[0]) - np.array(sides[1])
    np.testing.assert_allclose(likelihood_ratio(own, signals, inside), expected)


def test_lowercase_compares_whole_texts():
    """In small letters the second text has more tokens; its loss as a whole counts, not by token."""
    target = Given({"AB": one([-3.0]), "ab": one([-1.0, -2.0, -3.0]), "c": one([-1.0]), "": one([])})
    rated = family.TextLowercase().rate(target, ["AB", "c", ""], Context())
    np.testing.assert_allclose(rated, [-0.5, -1.0, np.nan])


def test_recall_compares_losses_with_and_without_other_text():
    others = documents(["Xy.", "Zw."])
    target, texts = train(lines(20, 0)), [*lines(3, 1), ""]
    ctx = Context(population=others).lend("membership/recall")
    rated = family.Recall(shots=1).rate(target, texts, ctx)
    prefixes = {"Xy.\n", "Zw.\n"}
    options = [[after(target, p, t) / after(target, "", t) for t in texts[:3]] for p in prefixes]
    assert any(np.allclose(rated[:3], option) for option in options)
    assert np.isnan(rated[3])


def after(target, prefix: str, text: str) -> float:
    return -sum(float(target.following(prefix + text[:i])[target.places[c]]) for i, c in enumerate(text))


def test_coverage_by_hand():
    assert coverage(["a", "b", "c", "d", "e"], ["x", "b", "c", "d", "y"], 3) == pytest.approx(3 / 5)
    assert coverage(["a", "b", "c", "d", "e"], ["a", "b", "x", "d", "e"], 3) == 0
    assert coverage(["a"], ["a"], 3) == 0
    assert halved("one two three four") == ("one two", " three four")
    assert halved("word") == ("", "word")
    assert halved("") == ("", "")
    target = train(["abc"])
    assert ending(target, "one two three", 8) == " three"
    assert ending(target, "one two three", None) == "one two three"
    assert ending(target, "abcdefgh", 3) == "gh"


def test_neighbors_differ_in_a_few_words():
    rng = np.random.default_rng(0)
    text = "one  two three\nfour five six seven eight nine ten"
    changed = neighbor(text, ["ELSE", "OTHER"], 0.2, rng)
    pairs = list(zip(text.split(), changed.split(), strict=True))
    assert sum(a != b for a, b in pairs) == 2
    assert "  " in changed
    assert "\n" in changed
    alone = neighbor("word", ["word", "xyz"], 0.2, rng)
    assert sum(a != b for a, b in zip("word", alone, strict=True)) == 1
    assert neighbor("", ["word"], 0.2, rng) == ""
    assert neighbor("  ", ["word"], 0.2, rng) == "  "
    assert neighbor("a", ["a"], 0.2, rng) == "a"


def test_nobody_is_scored_by_a_regression_that_was_fitted_on_them():
    """Features of pure noise: fitted on themselves, documents of the pile would look like the pile."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 40))
    means = [crossed(rng.permutation(features), 80, np.random.default_rng(seed)).mean() for seed in range(20)]
    assert abs(np.mean(means)) < 0.5
    from sklearn.linear_model import LogisticRegression

    pile = np.arange(120) < 80
    fitted = LogisticRegression(class_weight="balanced").fit(features, pile).decision_function(features[:80])
    assert fitted.mean() > 0.5, "what the test would see"


def test_no_two_documents_are_learned_from_for_each_other(monkeypatch):
    """Else what chance makes of one part counts twice, and the ranks are further from even than a test allows."""
    pairs = set()

    def seen(self, target, texts, ctx):
        pairs.update((one, other) for one in texts for other in ctx.population.X)
        return np.zeros(len(texts))

    monkeypatch.setattr(family.TextCombination, "rate", seen)
    data = split(5)
    family.TextCombination().scores(train(["a"]), data, Context())
    assert {one for one, _ in pairs} == {*data.members.X, *data.nonmembers.X}
    assert {other for _, other in pairs} == set(data.nonmembers.X)
    assert not [pair for pair in pairs if pair[::-1] in pairs]


@pytest.mark.slow
def test_a_combination_of_noise_holds_its_level(monkeypatch):
    """Halves that stand in for each other came to 2 % at a level of 1 % and 1.15 times the spread."""
    from keepmum.attacks.membership.text import text_combination
    from keepmum.stats.roc import auc

    def noise(target, texts, ctx):
        drawn = np.random.default_rng([ctx.seed, 8]).normal(size=(8, 240))
        return list(drawn[:, [int(text) for text in texts]])

    monkeypatch.setattr(text_combination, "cheap_scores", noise)
    texts = [str(i) for i in range(240)]
    areas = []
    for seed in range(300):
        data = Split(documents(texts[:120]), documents(texts[120:]))
        _, inside, scores = family.TextCombination().scores(train(["a"]), data, Context(seed=seed))
        areas.append(auc(scores[inside], scores[~inside]).value)
    assert abs(np.mean(areas) - 0.5) < 0.01
    assert np.std(areas) < 1.08 * np.sqrt(241 / (12 * 120**2))


@pytest.mark.parametrize("attack", QUICK, ids=named)
def test_odd_texts_get_finite_scores(attack):
    """Empty, one character, white space, copies: finite, and copies alike where chance has no part."""
    texts = ["", "a", " ", "Same words here, all of them.", "Same words here, all of them.", *lines(25, 0)]
    ctx = Context(reference=train(lines(10, 1)), population=documents(lines(10, 2)))
    scores = attack.score(train(lines(10, 0)), documents(texts), ctx.lend(attack.name))
    assert np.isfinite(scores).all()
    if not isinstance(attack, (family.TextNeighborhood, family.NgramCoverage, family.TextLira, family.TextCombination)):
        assert scores[3] == scores[4]
    if not isinstance(attack, (family.NgramCoverage, family.TextCombination)):
        rest = attack.score(train(lines(10, 0)), documents(texts[1:]), ctx.lend(attack.name))
        if not isinstance(attack, (family.TextNeighborhood, family.TextLira)):
            assert scores[0] == pytest.approx(float(np.median(rest))), "nothing is known of an empty text"


class Narrow(Open):
    """Reads no more than 24 characters at once, and refuses more."""

    context = 24

    def _score(self, texts, prefixes):
        assert all(len(p) + len(t) <= self.context for t, p in zip(texts, prefixes, strict=True))
        return super()._score(texts, prefixes)

    def _generate(self, prompts, tokens, samples, sampling, seed):
        assert all(0 < len(prompt) + tokens <= self.context for prompt in prompts)
        return super()._generate(prompts, tokens, samples, sampling, seed)

    def _gradient_norms(self, texts):
        assert all(len(text) <= self.context for text in texts)
        return super()._gradient_norms(texts)


def test_windows_cover_a_text_once():
    target = Narrow(lines(10, 0), ORDER)
    for text in [*lines(5, 1), "x" * 100, " a" * 40, "short", "many  blanks and\n\nlines of it, several of them here"]:
        windows = pieces(target, text)
        assert "".join(piece for _, piece in windows) == text
        assert all(len(before) + len(piece) <= 24 for before, piece in windows)
        assert windows[0][0] == ""
        assert [before for before, _ in windows[1:]] == [piece for _, piece in windows[:-1]]
        (scored,) = read(target, [text])
        assert "".join(scored.tokens) == text
        np.testing.assert_array_equal(scored.starts, np.arange(len(text)))
        rows = [(before + piece[:i], c) for before, piece in windows for i, c in enumerate(piece)]
        expected = [float(target.following(before)[target.places[c]]) for before, c in rows]
        np.testing.assert_allclose(scored.log_probs, expected)
        assert scored.likeliest is not None
        assert len(scored.likeliest) == len(scored.spreads) == len(text)


@pytest.mark.parametrize("attack", QUICK, ids=named)
def test_long_texts_are_read_in_windows(attack):
    data = split(0)
    if isinstance(attack, family.TextLira):
        attack = replace(attack, trainer=lambda texts, seed: Narrow(texts, ORDER))
    ctx = Context(reference=Narrow(lines(N, 9), ORDER)).lend(attack.name)
    found = attack.run(Narrow(list(data.members.X), ORDER), data, ctx)
    assert found.metrics["auc"].value > (0.4 if isinstance(attack, family.NgramCoverage) else 0.6)


def test_a_model_of_text_alone_serves_coverage_only():
    class Mute(TextTarget):
        def _generate(self, prompts, tokens, samples, sampling, seed):
            return [[" words" for _ in range(samples)] for _ in prompts]

    suited = [attack.id for attack in QUICK if attack.inapplicable(Mute()) is None]
    assert suited == ["membership/ngram-coverage"]
