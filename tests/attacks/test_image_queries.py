"""Pictures by queries: the class is found, every question is counted, and the same seed draws the same picture."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from keepmum.attacks.inversion._adam import Adam
from keepmum.attacks.inversion._climb import Climb
from keepmum.attacks.inversion.bandit import Bandit
from keepmum.attacks.inversion.cmaes import Cmaes
from keepmum.attacks.inversion.nes import Nes
from keepmum.attacks.inversion.oracle import Limits, Oracle
from keepmum.attacks.inversion.priors import DecoderPrior, PcaPrior, PixelPrior
from keepmum.attacks.inversion.reinforce import Reinforce
from keepmum.attacks.inversion.spsa import Spsa
from keepmum.data import Records
from keepmum.errors import BudgetError, ConfigError, MissingExtraError
from keepmum.targets import ScoreTarget

SHAPE = (8, 6)
SIZE = 48
ATTACKS = (Cmaes(queries=400), Nes(queries=400), Spsa(queries=400), Reinforce(queries=400), Bandit(queries=400))
each = pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.id.split("/")[1])


def smooth(n: int, seed: int) -> np.ndarray:
    """Images of few traits: ``(n, 8, 6)`` between 0 and 1, all made of the same six waves."""
    rows, columns = np.mgrid[0:1:8j, 0:1:6j]
    waves = [np.cos(np.pi * (i * rows + j * columns)) for i in range(3) for j in range(3) if i + j]
    odds = np.random.default_rng(seed).normal(0, 0.1, (n, len(waves)))
    return np.clip(0.5 + np.tensordot(odds, np.stack(waves), 1), 0, 1)


PUBLIC = smooth(60, 0)


class Recognizer(ScoreTarget):
    """Knows one image of each class, and tells how near others are."""

    def __init__(self, people: np.ndarray, sharp: float = 5.0) -> None:
        super().__init__(np.arange(len(people)))
        self.people, self.sharp, self.asked = people.reshape(len(people), -1), sharp, []

    def _predict_proba(self, records: Records) -> np.ndarray:
        X = np.asarray(records.X, dtype=float).reshape(len(records), -1)
        self.asked.append(X)
        logits = -self.sharp * ((X[:, None] - self.people) ** 2).sum(axis=2)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


PEOPLE = smooth(10, 1)


def prior() -> PcaPrior:
    return PcaPrior.fit(PUBLIC, 8, low=0, high=1)


def oracle(target: ScoreTarget | None = None, place: int = 3, budget: int | None = 400, **kwargs) -> Oracle:
    like = Records(np.zeros((1, *SHAPE)), np.zeros(1, dtype=int))
    return Oracle(target or Recognizer(PEOPLE), place, like, SHAPE, budget=budget, **kwargs)


def invert(attack, asked: Oracle, seed: int = 0, space=None):
    return attack.invert(asked, space or prior(), np.random.default_rng(seed))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@each
def test_finds_the_class_where_no_picture_without_a_search_is_of_it(attack):
    """The margin leads away from the others as well, so that the picture is like the person and no copy."""
    target, found = Recognizer(PEOPLE), []
    for place in range(10):
        picture = invert(attack, oracle(target, place), place)
        found.append(correlation(picture.image - 0.5, PEOPLE[place] - 0.5))
        assert picture.confidence > 0.9
        assert picture.confidence > target.predict_proba(Records(PUBLIC.mean(axis=0)[None], np.zeros(1)))[0, place]
    assert np.mean(found) > 0.5
    chance = [correlation(PEOPLE[i] - 0.5, PEOPLE[j] - 0.5) for i in range(10) for j in range(10) if i != j]
    assert np.mean(found) > np.quantile(chance, 0.9)


@each
@pytest.mark.parametrize("budget", [1, 2, 3, 10, 57, 400])
@pytest.mark.parametrize("repeats", [1, 3])
def test_counts_every_row_and_stays_within_the_budget(attack, budget, repeats):
    if budget < repeats:
        return
    target = Recognizer(PEOPLE)
    asked = oracle(target, budget=budget, repeats=repeats)
    picture = invert(attack, asked)
    assert asked.queries == target.queries == sum(map(len, target.asked)) <= budget
    assert picture.trace[-1][0] == asked.queries
    assert picture.image.shape == SHAPE
    assert picture.latent.shape == (8,)


@each
def test_spends_nearly_all_that_it_may(attack):
    asked = oracle(budget=400)
    invert(attack, asked)
    assert asked.queries > 400 - 4 - 16


@each
def test_queries_of_its_own_hold_without_a_budget(attack):
    asked = oracle(budget=None)
    invert(replace(attack, queries=120), asked)
    assert 90 < asked.queries <= 120


@each
def test_nothing_to_spend_is_an_error_and_asks_nothing(attack):
    target = Recognizer(PEOPLE)
    with pytest.raises(BudgetError, match="at least 3 rows, got 2"):
        invert(attack, oracle(target, budget=2, repeats=3))
    assert target.queries == 0


@each
def test_same_seed_same_picture(attack):
    first, second, other = (invert(attack, oracle(), seed) for seed in (5, 5, 6))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.latent.tobytes() == second.latent.tobytes()
    assert [step[:2] for step in first.trace] == [step[:2] for step in second.trace]
    assert first.image.tobytes() != other.image.tobytes()


@each
def test_picture_is_what_its_latent_draws_and_what_the_model_said_of_it(attack):
    picture = invert(attack, oracle())
    assert np.array_equal(picture.image, prior().decode(picture.latent[None])[0])
    said = Recognizer(PEOPLE).predict_proba(Records(picture.image[None], np.zeros(1)))[0, 3]
    assert picture.confidence == pytest.approx(said, abs=1e-12)
    assert picture.trace[-1][1] == picture.confidence
    assert np.array_equal(picture.trace[-1][2], picture.image)


@each
def test_way_there_is_kept_at_growing_steps(attack):
    way = invert(attack, oracle()).trace
    queries = [step[0] for step in way]
    assert queries == sorted(set(queries)), "no number of queries twice"
    assert 6 <= len(way) <= 14
    assert queries[0] == 1
    assert np.array_equal(way[0][2], prior().decode(np.zeros((1, 8)))[0]), "the first is the prior's own start"
    assert way[0][1] < way[-1][1]


@each
def test_finds_a_class_of_400_that_starts_below_one_in_ten_thousand(attack):
    many = smooth(400, 2)
    target = Recognizer(many, sharp=10.0)
    begin = prior().decode(prior().start(np.random.default_rng(0))[None])
    chances = target.predict_proba(Records(begin, np.zeros(1)))[0]
    place = int(np.argsort(chances)[100])
    assert 1e-12 < chances[place] < 1e-4
    picture = invert(replace(attack, queries=1000, pool=0), oracle(target, place, 1000), 0)
    assert picture.confidence > 0.99
    assert correlation(picture.image - 0.5, many[place] - 0.5) > 0.9


@each
def test_repeats_average_the_noise_of_answers(attack):
    """With noise as large as the answers, what the model truly gives the picture grows with repeats."""
    true = {}
    for repeats in (1, 10):
        pictures = []
        for seed in range(20):
            asked = oracle(place=seed % 10, budget=100 * repeats, limits=Limits(noise=0.3), repeats=repeats)
            pictures.append(invert(replace(attack, queries=100), asked, seed).image)
            assert asked.queries <= 100 * repeats
        told = Recognizer(PEOPLE).predict_proba(Records(np.stack(pictures), np.zeros(20)))
        true[repeats] = told[np.arange(20), np.arange(20) % 10].mean()
    assert true[10] > true[1] + 0.02


@each
def test_rounded_and_saturated_answers_still_end_in_a_picture(attack):
    for target, limits in ((Recognizer(PEOPLE), Limits(decimals=0)), (Recognizer(PEOPLE, sharp=1e6), Limits())):
        picture = invert(attack, oracle(target, limits=limits))
        assert np.isfinite(picture.image).all()
        assert 0 <= picture.confidence <= 1


@each
def test_over_pixels_the_model_is_sure_of_what_no_public_image_is_like(attack):
    pixels = PixelPrior(SHAPE, 0, 1, start="mean", public=PUBLIC)
    target = Recognizer(PEOPLE)
    picture = invert(replace(attack, queries=3000, weight=0.0), oracle(target, budget=3000), 0, pixels)
    assert picture.latent.shape == (SIZE,)
    assert picture.confidence > 0.9
    assert pixels.distance(picture.image[None])[0] > 2 * np.median(pixels.distance(smooth(30, 3)))


@each
def test_only_free_pixels_change(attack):
    free = np.zeros(SHAPE, dtype=bool)
    free[4:] = True
    partial = PixelPrior(SHAPE, 0, 1, start="given", given=PEOPLE[3], free=free)
    picture = invert(attack, oracle(place=4), 0, partial)
    assert np.array_equal(picture.image[:4], PEOPLE[3][:4])
    assert not np.allclose(picture.image[4:], PEOPLE[3][4:])


@each
@pytest.mark.parametrize("size", [1, 2])
def test_few_latent_numbers_will_do(attack, size):
    waves = np.stack([np.full(SHAPE, 0.2), np.linspace(-0.2, 0.2, SIZE).reshape(SHAPE)])[:size]
    lamp = DecoderPrior(lambda z: 0.5 + np.tensordot(z, waves, 1), size, SHAPE, 0, 1)
    target = Recognizer(np.stack([np.full(SHAPE, 0.1), np.full(SHAPE, 0.9)]), sharp=1.0)
    assert invert(attack, oracle(target, 1), 0, lamp).image.mean() > 0.7


@each
def test_scale_of_latents_does_not_matter_to_the_search(attack):
    """A decoder that takes latents a thousand times as large draws the same picture but for rounding."""
    base = prior()
    large = DecoderPrior(
        lambda z: base.decode(z / 1000),
        base.size,
        SHAPE,
        0,
        1,
        log_density=lambda z: base.log_density(z / 1000),
        draw=lambda n, rng: 1000 * base.draw(n, rng),
    )
    pictures = [invert(replace(attack, queries=100), oracle(budget=100), 0, space) for space in (base, large)]
    assert np.allclose(pictures[0].image, pictures[1].image, atol=1e-6)


@each
def test_weight_of_the_prior_draws_more_usual_pictures(attack):
    far = [np.mean(invert(replace(attack, weight=w), oracle()).latent ** 2) for w in (0.0, 50.0)]
    assert far[1] < far[0]


@each
@pytest.mark.parametrize("wrong", [{"pool": -1}, {"weight": -0.1}, {"weight": np.inf}, {"weight": np.nan}])
def test_settings_out_of_range_are_refused(attack, wrong):
    with pytest.raises(ConfigError, match="0 or more"):
        replace(attack, **wrong)


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (Cmaes, {"sigma": 0}),
        (Nes, {"directions": 0}),
        (Nes, {"rate": -1.0}),
        (Spsa, {"sigma": np.nan}),
        (Reinforce, {"batch": 1}),
        (Bandit, {"step": 0.0}),
        (Bandit, {"recheck": 1}),
    ],
)
def test_lengths_out_of_range_are_refused(cls, wrong):
    with pytest.raises(ConfigError, match="expected"):
        cls(**wrong)


def test_a_stand_in_of_all_answers_leads_sooner(monkeypatch):
    """The same number of questions about a wide space, with its favorites among the pictures and without."""
    rng = np.random.default_rng(0)
    space = PcaPrior.fit(rng.uniform(0, 1, (60, *SHAPE)), 40, low=0, high=1)
    target, reached = Recognizer(rng.uniform(0, 1, (60, *SHAPE)), sharp=3.0), []
    for _ in range(2):
        pictures = [invert(Cmaes(queries=150), oracle(target, place, 150), place, space) for place in range(8)]
        reached.append(np.mean([picture.confidence for picture in pictures]))
        monkeypatch.setattr(Cmaes, "_favorite", lambda self, climb, near: near)
    assert reached[0] > reached[1] + 0.05


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(MissingExtraError, match="cmaes") as told:
        invert(Cmaes(), oracle())
    assert told.value.extra == "images"


def test_climb_scores_margin_and_prior():
    asked, space = oracle(), prior()
    latents = space.draw(5, np.random.default_rng(0))
    p = Recognizer(PEOPLE).predict_proba(Records(space.decode(latents), np.zeros(5)))
    margins = np.log(np.maximum(p[:, 3], 1e-12)) - np.log(np.delete(p, 3, axis=1).max(axis=1))
    expected = margins - 2.5 * 0.5 * (latents**2).sum(axis=1) / 8
    assert Climb(asked, space, 400, 2.5).scores(latents) == pytest.approx(expected)


def test_pool_begins_at_the_best_or_in_the_middle_of_the_best():
    space, rng = prior(), np.random.default_rng(0)
    asked = np.concatenate([space.start(rng)[None], space.draw(64, np.random.default_rng(0))[:63]])
    chosen = set()
    for place in range(10):
        climb, asks = Climb(oracle(place=place), space, 400, 0.0), oracle(place=place)
        begin = climb.start(64, np.random.default_rng(0))
        scores = asks.margin(space.decode(asked))
        best = asked[np.argsort(-scores)[:4]]
        middle = best.mean(axis=0)
        better = asks.margin(space.decode(middle[None]))[0] >= scores.max()
        assert begin == pytest.approx(middle if better else best[0])
        assert climb.left == 400 - 65 - 2
        chosen.add(better)
    assert chosen == {True, False}, "both happen here"
    assert np.array_equal(Climb(oracle(), space, 400, 0.0).start(0, rng), space.start(rng))


def test_adam_steps_are_of_its_rate_whatever_the_scale():
    for scale in (1e-3, 1.0, 1e3):
        assert Adam(0.1).step(scale * np.array([1.0, -2.0])) == pytest.approx([0.1, -0.1], rel=1e-6)
    assert np.array_equal(Adam(0.1).step(np.zeros(3)), np.zeros(3))
