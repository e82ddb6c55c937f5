"""Attribute attacks that learn on the attacker's own people, or look inside: held against models written by hand."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import zoo
from keepmum.attacks import Context
from keepmum.attacks.attribute import (
    AttributeAttack,
    LeafCounts,
    Learned,
    NeuronCorrelation,
    OutputInversion,
    Question,
    hide,
)
from keepmum.attacks.attribute._game import set_up
from keepmum.attacks.attribute._question import PRACTICE
from keepmum.data import Records, Split
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.findings import NOTHING_BEYOND_IMPUTATION, POPULATION_LEVEL, Finding, Outcome
from keepmum.targets import RegressionTarget, ScoreTarget, Target, from_sklearn

PLENTY = 10**9


def secret(z: np.ndarray) -> np.ndarray:
    """A value that goes along with a known column, but in no way that a few thousand people teach."""
    return (np.sin(500 * z) > 0).astype(int)


def riddle(n: int, seed: int) -> Records:
    """Columns: a riddle, its hidden solution (wrong for one in twenty), chance. Labels are chance as well."""
    rng = np.random.default_rng(seed)
    z = rng.random(n)
    wrong = rng.random(n) < 0.05
    return Records(np.column_stack([z, secret(z) ^ wrong, rng.normal(size=n)]), rng.integers(0, 2, n))


def riddles(n: int = 300) -> Split:
    return Split(riddle(n, 1), riddle(n, 2), riddle(600, 3))


class Solver(ScoreTarget):
    """Surer where the solution is put in: it knows the population's secret, and nobody in particular."""

    def __init__(self) -> None:
        super().__init__(np.arange(2))

    def _predict_proba(self, records: Records) -> np.ndarray:
        right = np.asarray(records.X)[:, 1] == secret(np.asarray(records.X)[:, 0])
        one = np.where(right, 0.8, 0.4)
        return np.column_stack([1 - one, one])


class SolverValues(RegressionTarget):
    """The same as a number."""

    def _predict_value(self, records: Records) -> np.ndarray:
        return np.where(np.asarray(records.X)[:, 1] == secret(np.asarray(records.X)[:, 0]), 0.8, 0.4)


def play(attack: type[AttributeAttack[Any]], target: Target, data: Split, hidden: str, **context: Any) -> Finding:
    game = attack(hidden=hide(hidden, data))
    return game.run(target, data, Context(attack=game.name, **context))


def auc(finding: Finding) -> tuple[float, float, float]:
    sides = (finding.metrics, finding.control, finding.baseline)
    return tuple(side["attribute_auc"].value for side in sides)  # type: ignore[return-value]


def question(data: Split, hidden: str, known: list[str] | None = None) -> Question:
    return set_up(hide(hidden, data, known), data, 0, PLENTY).questions[0]


# learned


@pytest.mark.parametrize("target", [Solver(), SolverValues()], ids=["scores", "values"])
def test_a_learned_attack_reads_what_holds_for_everybody(target: Target):
    finding = play(Learned, target, riddles(), "1")
    members, others, imputed = auc(finding)
    assert min(members, others) > 0.85 > 0.65 > imputed
    assert finding.outcome is Outcome.NO_LEAK_FOUND
    assert finding.verdict == POPULATION_LEVEL


def test_a_learned_attack_finds_nothing_in_a_model_that_tells_nothing():
    finding = play(Learned, zoo.Ignorant(2), riddles(), "1")
    assert finding.verdict == NOTHING_BEYOND_IMPUTATION
    assert abs(auc(finding)[0] - 0.5) < 0.1


def test_learning_costs_a_question_for_each_value_of_everybody_and_of_the_attackers_own():
    target = Solver()
    assert play(Learned, target, riddles(), "1").queries == target.queries == 2 * (600 + 600)
    assert play(OutputInversion, target, riddles(), "1").queries == 600 + 600


def test_the_attackers_own_people_are_bounded():
    data = Split(riddle(60, 1), riddle(60, 2), riddle(PRACTICE + 500, 3))
    assert play(Learned, Solver(), data, "1").queries == 2 * (120 + PRACTICE)


@pytest.mark.parametrize("attack", [Learned, OutputInversion])
@pytest.mark.parametrize("population", [True, False])
@pytest.mark.parametrize("left", [600, 1000])
def test_practice_stays_within_the_budget(attack: type, population: bool, left: int):
    data = riddles() if population else Split(*(riddle(300, seed) for seed in (1, 2)))
    assert 0 < play(attack, Solver(), data, "1", queries_left=left).queries <= left


def test_nobody_of_the_attackers_own_is_completed_by_themselves():
    asked = question(riddles(), "1", known=["0"])
    rows = asked.practice(100, 0)
    own = asked.as_public(rows)
    assert len(set(rows.tolist())) == len(own) == 100
    assert (own._alike != rows[:, None]).all()
    near = np.abs(np.asarray(asked.public.X)[:, 0][own._alike] - np.asarray(own.people.X)[:, :1])
    assert np.median(near) < 0.05, "but by people like them"


def test_columns_that_nobody_knows_are_marginalized():
    target, data = Solver(), riddles(100)
    finding = Learned(hidden=hide("1", data, ["0"])).run(target, data, Context())
    assert min(auc(finding)[:2]) > 0.85
    assert finding.queries == target.queries == 8 * 2 * (200 + 600)


@pytest.mark.parametrize("attack", [Learned, LeafCounts, OutputInversion])
def test_the_same_seed_gives_the_same_finding(attack: type):
    data = riddles(80)
    model = DecisionTreeClassifier(random_state=0).fit(data.members.X, data.members.y)
    first, second = (play(attack, from_sklearn(model), data, "1", seed=3) for _ in range(2))
    assert first == second


def test_where_the_attackers_own_people_all_have_one_value_nothing_is_learned():
    data = riddles(60)
    data.population.X[:, 1] = 1
    for attack in (Learned, OutputInversion):
        assert auc(play(attack, Solver(), data, "1"))[:2] == (0.5, 0.5)


# output inversion


def linear(n: int, seed: int) -> Records:
    """A label that an attribute of three kinds, one-hot, and two numbers bring about."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    table = np.column_stack([np.eye(3)[kind], rng.normal(size=(n, 2))])
    logit = table @ [1.0, 0.0, -1.0, 2.0, -1.0]
    return Records(table, (logit + rng.logistic(size=n) > 0).astype(int))


def test_the_output_of_a_linear_model_gives_the_attribute_of_anybody_away_and_is_no_training_leak():
    data = Split(linear(200, 1), linear(200, 2), linear(800, 3))
    model = LogisticRegression().fit(data.members.X, data.members.y)
    finding = play(OutputInversion, from_sklearn(model), data, "kind=0+1+2")
    members, others, imputed = auc(finding)
    assert min(members, others) > 0.99 > 0.8 > imputed
    assert finding.outcome is Outcome.NO_LEAK_FOUND
    assert finding.p_value is None
    assert finding.verdict == POPULATION_LEVEL


def test_what_is_read_off_is_never_a_leak_even_where_a_model_memorized():
    data = riddles()
    model = DecisionTreeClassifier(random_state=0).fit(data.members.X, data.members.y)
    finding = play(OutputInversion, from_sklearn(model), data, "1")
    assert finding.outcome is Outcome.NO_LEAK_FOUND
    assert finding.p_value is None


class Sum(RegressionTarget):
    """Tells the sum of the columns."""

    def _predict_value(self, records: Records) -> np.ndarray:
        return np.asarray(records.X).sum(axis=1)


def test_a_number_is_read_off_the_sum_of_all_numbers():
    rng = np.random.default_rng(0)
    sides = [Records(rng.normal(size=(n, 3)), rng.normal(size=n)) for n in (150, 150, 1000)]
    finding = play(OutputInversion, Sum(), Split(*sides), "2")
    assert finding.metrics["within_tolerance"].value > 0.9
    assert finding.control["within_tolerance"].value > 0.9
    assert finding.baseline["within_tolerance"].value < 0.6
    assert finding.access == "scores or values"


# leaf counts


def cells() -> tuple[np.ndarray, np.ndarray]:
    """People in every cell of two columns, with both labels in each: a tree can tell apart no more than the cells."""
    counts = {(0, 0): (3, 1), (0, 1): (1, 5), (1, 0): (2, 2), (1, 1): (6, 4)}
    rows = [(*cell, label) for cell, each in counts.items() for label, n in enumerate(each) for _ in range(n)]
    table = np.array(rows)
    return table[:, :2].astype(float), table[:, 2]


def cell_question(labels: list[Any], column: str = "1") -> Question:
    """About one person in each row of the first column with each label; the own people have the value 1 in 3 of 4."""
    X = np.array([[row, 0] for row in (0, 1) for _ in (0, 1)], dtype=float)
    asked = Records(X, np.array(labels * 2))
    public = Records(np.column_stack([np.arange(40) % 2, np.arange(40) % 4 > 0]).astype(float), np.array(labels * 20))
    hidden = hide(column, Split(public, public))
    return Question(hidden, asked, public, hidden.positions(public), asked)


def by_hand(prior: np.ndarray) -> np.ndarray:
    """``prior(v) · people in the cell with the label``, as shares."""
    X, y = cells()
    asked = [(row, label) for row in (0, 1) for label in (0, 1)]
    counts = [[(((row, value) == X).all(axis=1) & (y == label)).sum() for value in (0, 1)] for row, label in asked]
    weights = np.array(counts) * prior
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(3, bootstrap=False, max_features=None, random_state=0),
        make_pipeline(OneHotEncoder(), DecisionTreeClassifier(random_state=0)),
        BaggingClassifier(DecisionTreeClassifier(random_state=0), 2, bootstrap=False),
    ],
    ids=["tree", "forest", "pipeline", "bagging"],
)
@pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"]], ids=["numbers", "words"])
def test_leaves_tell_their_counts(model: Any, labels: list[Any]):
    X, y = cells()
    target = from_sklearn(model.fit(X, np.array(labels)[y]))
    asked = cell_question(labels)
    belief = LeafCounts(hidden=asked.hidden).guess(target, asked, Context())
    np.testing.assert_allclose(belief, by_hand(asked.prior), rtol=1e-12)
    assert target.queries == 0


def test_a_forest_believes_what_its_trees_do_on_average():
    X, y = cells()
    forest = RandomForestClassifier(7, random_state=0).fit(X, y)
    asked = cell_question([0, 1])
    attack = LeafCounts(hidden=asked.hidden)
    each = [attack.guess(from_sklearn(tree), asked, Context()) for tree in forest.estimators_]
    np.testing.assert_allclose(attack.guess(from_sklearn(forest), asked, Context()), np.mean(each, axis=0), rtol=1e-12)
    assert np.ptp(each, axis=0).max() > 0.1


def values_tree(times: int = 1) -> DecisionTreeRegressor:
    """Leaf 0: mean 1, variance 1, a third of all. Leaf 1: mean 12, variance 4."""
    return DecisionTreeRegressor(max_depth=1).fit(*taught(times))


def taught(times: int = 1) -> tuple[np.ndarray, np.ndarray]:
    X = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [0, 1], [0, 1]], dtype=float)
    return np.tile(X, (times, 1)), np.tile([0.0, 2, 10, 14, 10, 14], times)


@pytest.mark.parametrize("times", [1, 100])
def test_leaves_of_a_regression_are_gaussians_no_narrower_than_the_error_of_the_mean_of_all(times: int):
    asked = cell_question([4.0, 10.0])
    belief = LeafCounts(hidden=asked.hidden).guess(from_sklearn(values_tree(times)), asked, Context())
    least = np.std(taught()[1]) / np.sqrt(6 * times)
    assert (least > 2) == (times == 1)
    leaves = ((1 / 3, NormalDist(1, max(1, least))), (2 / 3, NormalDist(12, max(2, least))))
    weights = [[share * leaf.pdf(y) for share, leaf in leaves] for y in (4.0, 10.0, 4.0, 10.0)] * asked.prior
    np.testing.assert_allclose(belief, weights / weights.sum(axis=1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize("criterion", ["squared_error", "absolute_error", "poisson"])
def test_every_impurity_is_turned_into_a_variance(criterion: str):
    from keepmum.attacks.attribute.leaf_counts import _variance

    y = np.random.default_rng(0).normal(20, 2, 1000)
    tree = DecisionTreeRegressor(criterion=criterion).fit(np.zeros((1000, 1)), y)
    assert _variance(tree) == pytest.approx([4], rel=0.1)


def test_labels_that_were_transformed_for_the_tree_are_transformed_for_its_leaves():
    asked = cell_question([4.0, 10.0])
    attack = LeafCounts(hidden=asked.hidden)
    plain = values_tree()
    outer = TransformedTargetRegressor(
        DecisionTreeRegressor(max_depth=1),
        transformer=FunctionTransformer(lambda v: 3 * v, lambda v: v / 3, check_inverse=False),
    )
    outer.fit(*taught())
    beliefs = [attack.guess(from_sklearn(model), asked, Context()) for model in (plain, outer)]
    np.testing.assert_allclose(beliefs[0], beliefs[1], rtol=1e-9)


def test_a_leaf_of_one_person_gives_that_person_away_and_nobody_else():
    """Every label differs: the true leaf holds the very label; where none does, the prior is left."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(200) // 2, np.arange(200) % 2]).astype(float)
    y = rng.normal(size=200).round(3) * 100
    target = from_sklearn(DecisionTreeRegressor(random_state=0).fit(X, y))
    members = Records(X, y)
    asked = set_up(hide("1", Split(members, members)), Split(members, members), 0, PLENTY).questions[0]
    belief = LeafCounts(hidden=asked.hidden).guess(target, asked, Context())
    truth = asked.hidden.positions(asked.complete)
    assert (belief.argmax(axis=1) == truth).mean() > 0.95
    far = Records(asked.people.X, asked.people.y + 1e6)
    elsewhere = Question(asked.hidden, far, asked.public, asked.public_truth, asked.complete)
    lost = LeafCounts(hidden=asked.hidden).guess(target, elsewhere, Context())
    np.testing.assert_allclose(lost, np.tile(asked.prior, (len(far), 1)))


def strangers(n: int, seed: int) -> Records:
    """Columns: one of 150 streets, hidden yes or no; ten labels by chance."""
    rng = np.random.default_rng(seed)
    table = np.column_stack([rng.integers(0, 150, n), rng.integers(0, 2, n)]).astype(float)
    return Records(table, rng.integers(0, 10, n))


def test_a_tree_that_memorized_leaks_and_one_of_other_people_does_not():
    data = Split(strangers(300, 1), strangers(300, 2), strangers(300, 3))
    found = []
    for people in (data.members, strangers(300, 4)):
        tree = DecisionTreeClassifier(random_state=0).fit(people.X, people.y)
        found.append(play(LeafCounts, from_sklearn(tree), data, "1"))
    assert [finding.outcome for finding in found] == [Outcome.LEAK, Outcome.NO_LEAK_FOUND]
    assert auc(found[0])[0] > 0.8 > 0.6 > max(auc(found[0])[1], *auc(found[1]))
    assert found[0].access == "model file"
    assert found[0].queries == 0


@pytest.mark.parametrize(
    "model",
    [LogisticRegression(), HistGradientBoostingClassifier(max_iter=2), GradientBoostingClassifier(n_estimators=2)],
)
def test_models_without_such_trees_have_no_leaves_to_count(model: Any):
    data = riddles(60)
    with pytest.raises(NotApplicableError, match="decision tree or forest") as caught:
        play(LeafCounts, from_sklearn(model.fit(data.members.X, data.members.y)), data, "1")
    assert "\n" not in str(caught.value)


def test_leaves_need_the_model_itself():
    reason = LeafCounts(hidden=hide("1", riddles(60))).inapplicable(Solver())
    assert reason is not None
    assert "model file" in reason


# neurons


def network(weights: list[list[float]]) -> Any:
    """``sin`` of sums of the columns, ten thousand times the first of which hides the riddle's solution."""
    torch = pytest.importorskip("torch")
    from keepmum.targets import TorchTarget

    class Sine(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.sin(x)

    module = torch.nn.Sequential(torch.nn.Linear(3, len(weights)), Sine(), torch.nn.Linear(len(weights), 2)).double()
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor(weights))
        module[0].bias.zero_()
    return TorchTarget(module, [0, 1])


SOLVES = [[0.0, 1.0, 0.0], [-500.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
"""Neurons: the attribute as put in; the riddle's solution, upside down; chance."""


def test_the_neuron_that_knows_the_attribute_is_found_whatever_is_put_in():
    from keepmum.attacks.attribute.neuron_correlation import correlated

    target, asked = network(SOLVES), question(riddles(), "1")
    rows = asked.practice(400, 0)
    truth, own = asked.public_truth[rows], asked.as_public(rows)
    chosen = correlated(target, own, truth, ("1",), 2)
    assert chosen.place[:, 0].tolist() == [1, 1]
    for value in (0, 1):
        put_in = own.people.replace(asked.hidden.donors.take(np.full(400, value)), asked.hidden.columns)
        told = target.activations(put_in, "1")
        plain = [np.corrcoef(told[:, place], truth == value)[0, 1] for place in (1, 2)]
        assert chosen.correlation[value].tolist() == pytest.approx([plain[0], plain[1]])
        np.testing.assert_allclose(chosen.mean[value], told[:, [1, 2]].mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(chosen.spread[value], told[:, [1, 2]].std(axis=0))
    assert chosen.correlation[1, 0] < -0.7 < 0.7 < chosen.correlation[0, 0]


def test_a_neuron_that_repeats_what_is_put_in_tells_nothing():
    finding = play(NeuronCorrelation, network([SOLVES[0], SOLVES[2]]), riddles(), "1")
    assert finding.verdict == NOTHING_BEYOND_IMPUTATION
    assert abs(auc(finding)[0] - 0.5) < 0.1


def test_a_neuron_that_solves_the_riddle_gives_everybodys_attribute_away():
    target = network(SOLVES)
    finding = play(NeuronCorrelation, target, riddles(), "1")
    assert min(auc(finding)[:2]) > 0.85 > 0.65 > auc(finding)[2]
    assert finding.verdict == POPULATION_LEVEL
    assert finding.access == "gradients"
    assert finding.queries == target.queries == len(target.layers) * 2 * (600 + 600)


@pytest.mark.parametrize("left", [600, 2000, 5000])
def test_layers_are_as_many_as_can_be_paid(left: int):
    assert 0 < play(NeuronCorrelation, network(SOLVES), riddles(), "1", queries_left=left).queries <= left


def test_a_target_without_activations_is_said_in_one_line():
    data = riddles(60)
    with pytest.raises(NotApplicableError, match="shows none") as caught:
        play(NeuronCorrelation, zoo.Ignorant(2), data, "1")
    assert "\n" not in str(caught.value)
    assert NeuronCorrelation(hidden=hide("1", data)).inapplicable(Solver()) == (
        "needs gradients access, the target offers scores"
    )
    with pytest.raises(ConfigError, match="at least 1 neuron"):
        NeuronCorrelation(neurons=0)


def test_columns_by_name_work_as_well():
    sides = [pd.DataFrame(riddle(n, seed).X, columns=["riddle", "solved", "other"]) for n, seed in ((80, 1), (80, 2))]
    labels = [riddle(80, seed).y for seed in (1, 2)]
    data = Split(*(Records(frame, label) for frame, label in zip(sides, labels, strict=True)))
    forest = RandomForestClassifier(5, random_state=0).fit(data.members.X, data.members.y)
    for attack in (Learned, LeafCounts, OutputInversion):
        assert play(attack, from_sklearn(forest), data, "solved").subject == "solved"


def test_numbers_of_which_none_occurs_twice_are_the_label_only_where_they_rise_with_it():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 2)), rng.normal(size=200)
    assert hide("0", Split(Records(X, y), Records(X + 3, y + 3))).continuous
    for label in (np.exp(X[:, 0]), -X[:, 0]):
        with pytest.raises(ConfigError, match="the same as the label"):
            hide("0", Split(Records(X[:100], label[:100]), Records(X[100:], label[100:])))
