"""The game of the hidden attribute: what is hidden, what is asked, what is guessed without the model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import zoo
from keepmum.attacks import Context
from keepmum.attacks.attribute import ConfidencePrior, hide
from keepmum.attacks.attribute._game import set_up
from keepmum.attacks.attribute._hidden import GRID
from keepmum.attacks.attribute._measure import Side, describe, over_imputation, over_nonmembers
from keepmum.data import Records, Split
from keepmum.errors import ConfigError, DataError, NotApplicableError, TargetError
from keepmum.findings import Outcome
from keepmum.targets import ScoreTarget
from keepmum.targets._remembered import remembered
from keepmum.targets.function import from_callable

PLENTY = 10**9


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    race = rng.choice(["green", "blue", "red"], n, p=[0.6, 0.3, 0.1])
    return pd.DataFrame(
        {
            "race": race,
            "town": np.where(rng.random(n) < 0.9, race, "elsewhere"),
            "age": rng.normal(40, 12, n).round(2),
            "is_a": (race == "green").astype(int),
            "is_b": (race == "blue").astype(int),
            "is_c": (race == "red").astype(int),
            "same": "x",
        }
    )


def split(n: int = 200, **changes: Any) -> Split:
    sides = []
    for seed in (1, 2):
        frame = table(n, seed).assign(**changes)
        sides.append(Records(frame, np.random.default_rng(seed + 10).integers(0, 2, n)))
    return Split(*sides)


def test_the_candidates_are_the_values_that_occur():
    hidden = hide("race", split())
    assert hidden.values == ("blue", "green", "red")
    assert not hidden.continuous
    people = split().pool
    assert np.array(hidden.values)[hidden.positions(people)].tolist() == people.column("race").tolist()


def test_a_column_of_many_numbers_gets_a_grid():
    hidden = hide("age", split(), tolerance=0.25)
    assert hidden.continuous
    assert len(hidden) == GRID
    ages = split().pool.column("age")
    assert set(hidden.numbers) <= set(ages)
    nearest = np.abs(ages[:, None] - hidden.numbers).argmin(axis=1)
    np.testing.assert_array_equal(hidden.positions(split().pool), nearest)
    assert hidden.scale == pytest.approx(ages.std())


def test_a_one_hot_group_is_one_attribute():
    hidden = hide("race=is_a+is_b+is_c", split())
    assert hidden.name == "race"
    assert sorted(hidden.values) == ["is_a", "is_b", "is_c"]
    assert hidden.donors.X[["is_a", "is_b", "is_c"]].sum(axis=1).tolist() == [1, 1, 1]


def test_columns_in_combination_are_guessed_together():
    hidden = hide("race+is_a", split())
    assert sorted(hidden.values) == ["race=blue, is_a=0", "race=green, is_a=1", "race=red, is_a=0"]


def test_a_missing_value_is_no_candidate_and_nobody_is_asked_about_it():
    data = split()
    data.members.X.loc[:9, "race"] = None
    hidden = hide("race", data)
    assert len(hidden) == 3
    game = set_up(hidden, data, 0, PLENTY)
    assert len(game.people) == 390


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("rase", "did you mean 'race'"),
        ("race+race", "stands twice"),
        ("same", "expected at least 2 candidate values, got 1: it is 'x' for everybody"),
    ],
)
def test_what_cannot_be_hidden_is_told(wanted: str, line: str):
    with pytest.raises(ConfigError, match=line) as caught:
        hide(wanted, split())
    assert "\n" not in str(caught.value)


def test_more_that_cannot_be_hidden():
    data = split()
    same = Split(*(Records(side.X, side.X["race"].to_numpy()) for side in (data.members, data.nonmembers)))
    with pytest.raises(ConfigError, match="the same as the label"):
        hide("race", same)
    with pytest.raises(ConfigError, match="at most 50 candidate values"):
        hide(
            "same", Split(*(Records(s.X.assign(same=[f"p{i}" for i in range(200)]), s.y) for s in (data.members,) * 2))
        )
    with pytest.raises(ConfigError, match="known: no column 'aeg'"):
        hide("race", data, known=["aeg"])
    with pytest.raises(ConfigError, match="tolerance above 0"):
        hide("race", data, tolerance=0)
    with pytest.raises(DataError, match="table of columns"):
        hide("0", Split(*(Records(np.array(["a", "b"] * 20), np.arange(40) % 2) for _ in range(2))))


def test_no_attacker_is_shown_the_truth():
    """The questions about two populations that differ in the hidden column alone are the same."""
    hidden = hide("race", split())
    other = split()
    other.members.X["race"] = "red"
    games = [set_up(hidden, data, 0, PLENTY) for data in (split(), other)]
    rows = [np.flatnonzero(game.is_member) for game in games]
    for first, second in zip(games[0].questions, games[1].questions, strict=True):
        pd.testing.assert_frame_equal(first.people.X, second.people.X)
    assert rows[0].tolist() == rows[1].tolist()


def test_whoever_is_asked_about_is_not_learned_from():
    game = set_up(hide("race", split()), split(), 0, PLENTY)
    assert len(game.questions) == 2
    places = np.concatenate(game.rows)
    assert sorted(places.tolist()) == list(range(400))
    ids = {id_ for question in game.questions for id_ in question.complete.ids.tolist()}
    assert len(ids) == 400
    for question in game.questions:
        assert not set(question.public.ids.tolist()) & set(question.complete.ids.tolist())
        assert (question.public.ids >= 200).all(), "non-members stand in for the attacker's own people"


def test_the_attackers_own_people_are_used_where_there_are_any():
    population = Records(table(150, 5), np.random.default_rng(5).integers(0, 2, 150))
    data = Split(split().members, split().nonmembers, population)
    game = set_up(hide("race", data), data, 0, PLENTY)
    (question,) = game.questions
    assert len(question.public) == 150
    assert len(question) == 400


def test_candidates_hold_each_value_once_and_all_else_as_it_was():
    hidden = hide("race", split())
    question = set_up(hidden, split(), 0, PLENTY).questions[0]
    (block,) = question.blocks()
    assert len(block) == 3 * len(question)
    assert block.column("race").tolist() == list(hidden.values) * len(question)
    for name in ("town", "age", "is_a"):
        assert block.column(name).tolist() == np.repeat(question.people.column(name), 3).tolist()
    assert block.y.tolist() == np.repeat(question.people.y, 3).tolist()
    assert block.X.dtypes.to_dict() == split().members.X.dtypes.to_dict()


@pytest.mark.parametrize("kind", ["array", "category", "polars"])
def test_candidates_keep_the_kind_of_table(kind: str):
    data = split()
    if kind == "array":
        sides = [Records(np.column_stack([s.X["is_b"], s.X["age"]]), s.y) for s in (data.members, data.nonmembers)]
        name = "0"
    elif kind == "category":
        sides = [Records(s.X.astype({"race": "category"}), s.y) for s in (data.members, data.nonmembers)]
        name = "race"
    else:
        import polars

        sides = [Records(polars.from_pandas(s.X), s.y) for s in (data.members, data.nonmembers)]
        name = "race"
    made = Split(*sides)
    hidden = hide(name, made)
    question = set_up(hidden, made, 0, PLENTY).questions[0]
    (block,) = question.blocks()
    assert type(block.X) is type(made.members.X)
    assert [str(v) for v in block.column(name)][: len(hidden)] == [str(v) for v in hidden.donors.column(name)]
    if kind == "category":
        assert block.X["race"].dtype == made.members.X["race"].dtype


def test_what_the_attacker_does_not_know_is_averaged_over():
    """With the town unknown, the candidates' towns come from public people who are alike in age and label."""
    data = split()
    hidden = hide("race", data, known=["age"])
    assert set(hidden.unknown) == {"town", "is_a", "is_b", "is_c", "same"}
    question = set_up(hidden, data, 0, PLENTY).questions[0]
    assert question.draws == 8
    (block,) = question.blocks()
    assert len(block) == question.rows == len(question) * 3 * 8
    ages = question.mean(block.column("age"))
    np.testing.assert_allclose(ages, np.repeat(question.people.column("age")[:, None], 3, axis=1))
    shares = question.mean((block.column("town") == "green").astype(float))
    assert (shares == shares[:, :1]).all(), "every candidate value is asked about with the same completions"
    assert len(np.unique(shares)) > 3


def surer(frame: pd.DataFrame) -> np.ndarray:
    one = np.where(frame["race"] == "red", 0.9, np.where(frame["race"] == "blue", 0.6, 0.2))
    return np.column_stack([1 - one, one])


def test_answers_are_those_of_the_model_and_paid_for_once():
    data = split()
    target = remembered(from_callable(surer, [0, 1]))
    assert isinstance(target, ScoreTarget)
    attack = ConfidencePrior(hidden=hide("race", data))
    ctx = Context(attack=attack.name)
    game = attack.game(data, ctx)
    question = game.questions[0]
    answers = question.answers(target)
    np.testing.assert_allclose(answers[:, :, 1], np.tile([0.6, 0.2, 0.9], (len(question), 1)))
    inner = target.inner.queries
    assert inner == question.rows
    finding = attack.run(target, data, ctx)
    assert finding.queries == sum(q.rows for q in game.questions) == 1200
    assert target.inner.queries == 1200
    again = attack.run(target, data, ctx)
    assert again == finding
    assert target.inner.queries == 1200, "what was answered is not asked again"


def test_confidence_times_prior_by_hand():
    data = split()
    question = set_up(hide("race", data), data, 0, PLENTY).questions[0]
    guesses = ConfidencePrior().guess(from_callable(surer, [0, 1]), question, Context())
    counts = np.array([(question.public.column("race") == v).sum() for v in ("blue", "green", "red")]) + 0.5
    prior = counts / counts.sum()
    for person in range(5):
        told = np.array([0.6, 0.2, 0.9]) if question.people.y[person] == 1 else np.array([0.4, 0.8, 0.1])
        np.testing.assert_allclose(guesses[person], told * prior / (told * prior).sum())


def test_a_value_that_the_model_refuses_is_told_in_one_line():
    def refuses(frame: pd.DataFrame) -> np.ndarray:
        if (frame["race"] == "red").any():
            raise ValueError("Found unknown categories ['red'] in column 0 during transform")
        return surer(frame)

    data = split()
    attack = ConfidencePrior(hidden=hide("race", data))
    with pytest.raises(TargetError, match=r"hidden race: with a candidate value put in, .*red") as caught:
        attack.run(from_callable(refuses, [0, 1]), data, Context())
    assert "\n" not in str(caught.value)


def test_imputers_find_what_the_population_tells():
    data = split(400)
    game = set_up(hide("race", data, known=["town", "age"]), data, 0, PLENTY)
    shares = {name: float(game.hits(guesses).mean()) for name, guesses in game.imputations.items()}
    assert len(shares) == 10
    assert game.column == "town"
    assert shares["majority"] == pytest.approx(0.6, abs=0.05)
    assert shares["best single column"] > 0.85
    assert game.quality(game.imputations[game.best]) > 0.9
    for guesses in game.imputations.values():
        np.testing.assert_allclose(guesses.sum(axis=1), 1)
    told = describe(game)
    assert set(told.imputations) == set(shares)
    assert told.known == ("town", "age")
    assert (
        told.imputations["majority"]["hit_rate"].value == game.hits(game.imputations["majority"])[game.is_member].mean()
    )


def test_too_few_people_or_queries_are_told():
    data = split(20)
    with pytest.raises(NotApplicableError, match="needs 30 people on each side"):
        set_up(hide("race", data), data, 0, PLENTY)
    attack = ConfidencePrior(hidden=hide("race", split()))
    target = from_callable(surer, [0, 1])
    with pytest.raises(NotApplicableError, match="needs 3 queries a record"):
        attack.run(target, split(), Context(queries_left=100))
    finding = attack.run(target, split(), Context(queries_left=2 * 3 * 150))
    assert finding.queries <= 3 * 150
    assert finding.metrics["hit_rate"].value > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_lookup_table_gives_away_the_trait_of_those_it_knows(seed: int):
    pair = zoo.trait_memorizers(seed)[0]
    attack = ConfidencePrior(hidden=hide(zoo.TRAIT, pair.split))
    finding = attack.run(pair.target, pair.split, Context(seed=seed, attack=attack.name))
    assert finding.outcome is Outcome.LEAK
    assert finding.verdict == "record-level"
    assert finding.metrics["hit_rate"].low > 0.9
    assert finding.control["hit_rate"].high < 0.5
    assert finding.baseline["hit_rate"].high < 0.5
    assert finding.metrics["advantage_over_nonmembers"].low > 0.3


def test_a_model_that_tells_the_trait_of_anyone_is_no_leak_of_its_members():
    """The label is the trait in most people: whoever asks learns it, of members and strangers alike."""

    def tells(X: np.ndarray) -> np.ndarray:
        return np.eye(3)[X[:, 5].astype(int)] * 0.8 + 0.2 / 3

    rng = np.random.default_rng(0)
    sides = []
    for seed in (1, 2):
        people = zoo.carriers(400, seed)
        trait = people.X[:, 5].astype(int)
        sides.append(Records(people.X, np.where(rng.random(400) < 0.7, trait, rng.integers(0, 3, 400))))
    data = Split(*sides)
    attack = ConfidencePrior(hidden=hide(zoo.TRAIT, data))
    finding = attack.run(from_callable(tells, [0, 1, 2]), data, Context(attack=attack.name))
    assert finding.outcome is Outcome.NO_LEAK_FOUND
    assert finding.verdict in ("nothing beyond imputation", "population-level")
    assert finding.metrics["hit_rate"].value > 0.7
    assert finding.p_value > 0.05


def test_a_value_is_spelled_alike_whoever_else_is_looked_at():
    """One person with a fraction, or outside of all groups, must not rename the values of those without them."""
    people = split(kids=1.0)
    for side in (people.members, people.nonmembers):
        side.X["kids"] = np.arange(len(side)) % 3
    people.members.X["kids"] = people.members.X["kids"].astype(float)
    people.members.X.loc[0, "kids"] = 0.5
    people.members.X.loc[0, ["is_a", "is_b", "is_c"]] = 0
    for name, column in (("kids", "kids"), ("group=is_a+is_b+is_c", "is_a")):
        hidden = hide(name, people)
        everyone, part = hidden.positions(people.pool), hidden.positions(people.nonmembers)
        assert column in people.pool.columns
        assert (part >= 0).all()
        assert part.tolist() == everyone[len(people.members) :].tolist()


def test_missing_members_of_a_one_hot_group_are_missing_values():
    people = split()
    people.members.X[["is_a", "is_b", "is_c"]] = people.members.X[["is_a", "is_b", "is_c"]].astype(float)
    people.members.X.loc[0, "is_b"] = np.nan
    hidden = hide("group=is_a+is_b+is_c", people)
    assert hidden.values == ("is_a", "is_b", "is_c")
    assert hidden.positions(people.members)[0] == -1


@pytest.mark.parametrize(
    ("wanted", "name", "columns"),
    [
        ("race=a+race=b", "race=a+race=b", ("race=a", "race=b")),
        ("race=race=a+race=b", "race", ("race=a", "race=b")),
        ("both=a+b", "both", ("a+b",)),
        ("a+b", "a+b", ("a+b",)),
        ("race=a", "race=a", ("race=a",)),
    ],
)
def test_columns_whose_names_hold_signs_can_be_hidden(wanted, name, columns):
    frame = pd.DataFrame({"race=a": [0, 1] * 40, "race=b": [1, 0] * 40, "a+b": [0, 0, 1, 1] * 20})
    people = Split(Records(frame, np.arange(80) % 5), Records(frame, np.arange(80) % 5))
    hidden = hide(wanted, people)
    assert (hidden.name, hidden.columns) == (name, columns)


def test_a_small_side_is_not_thinned_to_nothing():
    sides = split(40).members, split(4000).nonmembers
    people = Split(*sides)
    game = set_up(hide("race", people), people, seed=0, most=200)
    assert int(game.is_member.sum()) >= 30
    assert len(game.people) <= 200


def test_smaller_errors_are_no_gain_where_fewer_guesses_are_close_enough():
    """Of numbers: errors are a bit smaller for most members, and far too large for some."""
    is_member = np.arange(200) < 100
    errors = np.where(is_member, 0.1, 0.4)
    game: Any = SimpleNamespace(
        hidden=SimpleNamespace(continuous=True), errors=lambda guesses: guesses, hits=lambda guesses: guesses <= 0.5
    )
    for off, agrees in ((0, True), (5, False)):
        errors[:off] = 2.0
        members, others = (Side(game, errors, who) for who in (is_member, ~is_member))
        blind = Side(game, np.full(200, 0.4), is_member)
        assert (over_nonmembers(members, others)[1] < 0.05) == agrees
        assert (over_imputation(members, blind)[1] < 0.05) == agrees


def test_a_population_without_the_hidden_column_is_named():
    people = split()
    others = Records(people.nonmembers.X.drop(columns="race"), people.nonmembers.y)
    with pytest.raises(DataError, match="population: expected the columns of the members, race is in one only"):
        hide("race", Split(people.members, people.nonmembers, others))
