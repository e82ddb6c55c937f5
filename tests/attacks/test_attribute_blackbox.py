"""Attacks on hidden attributes that only ask the model: each against its rule, written out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from keepmum import audit
from keepmum.attacks import Context
from keepmum.attacks.attribute import (
    AttributeAttack,
    ConfidencePrior,
    Csmia,
    Fredrikson,
    Lomia,
    MembershipOracle,
    ModelImputer,
    Question,
    Yeom,
    _imputers,
    hide,
)
from keepmum.attacks.attribute.membership_oracle import odds_of_membership
from keepmum.attacks.membership import (
    Confidence,
    Correctness,
    GradientNorm,
    Lira,
    Loss,
    ModifiedEntropy,
    NoiseRobustness,
    SquaredError,
)
from keepmum.data import Records, Split
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.targets import LabelTarget, RegressionTarget, Target, from_sklearn
from keepmum.targets._remembered import remembered
from keepmum.targets.function import FunctionScores

EVERY: tuple[type[AttributeAttack[Any]], ...] = (Fredrikson, Csmia, Lomia, Yeom, ModelImputer, MembershipOracle)
OF_NUMBERS = (Fredrikson, Yeom, ModelImputer)
CTX = Context(seed=3)


class Labels(LabelTarget):
    """Tells the most probable class of a table of answers by person (column 1) and value (column 0)."""

    def __init__(self, answers: np.ndarray) -> None:
        super().__init__(np.arange(answers.shape[2]))
        self.answers = answers

    def _predict(self, records: Records) -> np.ndarray:
        X = np.asarray(records.X).astype(int)
        return self.answers[X[:, 1], X[:, 0]].argmax(axis=1)


class Numbers(RegressionTarget):
    """Tells the number in a table by person and value."""

    def __init__(self, answers: np.ndarray) -> None:
        super().__init__()
        self.answers = answers

    def _predict_value(self, records: Records) -> np.ndarray:
        X = np.asarray(records.X).astype(int)
        return self.answers[X[:, 1], X[:, 0]]


def scores(answers: np.ndarray) -> FunctionScores:
    return FunctionScores(
        lambda X: answers[X[:, 1].astype(int), X[:, 0].astype(int)], classes=np.arange(answers.shape[2])
    )


def question(labels: Any, public_labels: Any, public_values: Any, values: int = 2) -> Question:
    """People 0 … n - 1 are asked about; the attacker's own come after them. Column 0 is hidden, column 1 names them."""
    labels, own = np.asarray(labels), np.asarray(public_values)
    n = len(labels)
    people = Records(np.column_stack([np.zeros(n), np.arange(n)]), labels)
    public = Records(np.column_stack([own, n + np.arange(len(own))]).astype(float), np.asarray(public_labels))
    donors = Records(np.column_stack([np.arange(values), np.zeros(values)]), np.r_[0, np.ones(values - 1, int)])
    hidden = hide("0", Split(donors.join(public), people))
    assert len(hidden) == values
    return Question(hidden, people, public, hidden.positions(public), people)


def tables(n: int, values: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), (n, values))


def own(count: int, values: int = 2, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    return rng.integers(0, classes, count), np.r_[np.arange(values), rng.integers(0, values, count - values)]


def rule(answers: np.ndarray, label: int) -> tuple[int, int]:
    """Case and guess of the paper for one person, answers of shape (V, K)."""
    right = [v for v in range(len(answers)) if answers[v].argmax() == label]
    if len(right) == 1:
        return 1, right[0]
    if right:
        return 2, max(right, key=lambda v: answers[v].max())
    return 3, min(range(len(answers)), key=lambda v: answers[v].max())


@pytest.mark.parametrize(("values", "classes"), [(2, 2), (3, 3), (5, 4)])
def test_csmia_guesses_as_its_three_cases_say(values: int, classes: int):
    n = 400
    answers = tables(n + 40, values, classes)
    labels = np.random.default_rng(1).integers(0, classes, n)
    asked = question(labels, *own(40, values, classes), values)
    belief = Csmia().guess(scores(answers), asked, CTX)
    expected = [rule(answers[i], int(labels[i])) for i in range(n)]
    assert belief.argmax(axis=1).tolist() == [guess for _, guess in expected]
    cases = np.array([case for case, _ in expected])
    assert set(cases) == {1, 2, 3}
    if values == 2:
        sure = belief.max(axis=1)
        assert sure[cases == 1].min() > sure[cases != 1].max()


def test_csmia_takes_the_more_common_of_values_that_tie():
    answers = np.full((6, 2, 2), 0.5)
    asked = question([0, 1], [0, 1, 0, 1], [1, 1, 1, 0])
    belief = Csmia().guess(scores(answers), asked, CTX)
    assert belief.argmax(axis=1).tolist() == [1, 1]
    np.testing.assert_allclose(belief, 0.5, atol=1e-6)


def test_lomia_points_where_one_value_is_right_and_learns_from_there():
    """The value is that of the person's parity wherever the model gives it away; the attack model finds that out."""
    n = 300
    rng = np.random.default_rng(4)
    labels, gives = rng.integers(0, 2, n), rng.random(n) < 0.6
    kind = rng.integers(0, 2, n)
    answers = np.zeros((n + 20, 2, 2))
    for i in range(n):
        for v in range(2):
            said = labels[i] if (v == kind[i] or not gives[i]) else 1 - labels[i]
            answers[i, v] = np.eye(2)[said]
    base = question(labels, *own(20))
    X = np.column_stack([base.people.X, kind])
    people = Records(X, labels)
    public = Records(np.column_stack([base.public.X, rng.integers(0, 2, 20)]), base.public.y)
    asked = Question(hide("0", Split(public, people)), people, public, base.public_truth, people)
    expected = np.eye(2)[kind]
    for target in (Labels(answers), scores(answers)):
        belief = Lomia().guess(target, asked, CTX)
        np.testing.assert_array_equal(belief[gives], expected[gives])
        np.testing.assert_array_equal(belief[~gives].argmax(axis=1), kind[~gives])
        assert (belief[~gives].max(axis=1) < 1).all()


def test_lomia_knows_nothing_where_nobody_is_given_away():
    answers = np.tile(np.eye(2)[1], (26, 2, 1))
    asked = question([0, 1, 0, 1, 1, 0], *own(20))
    np.testing.assert_allclose(Lomia().guess(Labels(answers), asked, CTX), np.tile(asked.prior, (6, 1)))


def test_fredrikson_is_the_posterior_under_the_confusion_matrix():
    """Of the attacker's 12: 6 predicted 0 and are 0, 2 predicted 0 are 1, 1 predicted 1 is 0, 3 predicted 1 are 1."""
    predicted = np.r_[[0] * 8, [1] * 4]
    truth = np.r_[[0] * 6, [1] * 2, [0], [1] * 3]
    answers = np.zeros((15, 2, 2))
    answers[:3] = np.eye(2)[[[0, 1], [1, 1], [0, 0]]]
    answers[3:] = np.eye(2)[predicted][:, None]
    asked = question([0, 1, 1], truth, [1] * 3 + [0] * 9)
    confused = np.array([[6.5 / 9, 2.5 / 9], [1.5 / 5, 3.5 / 5]])
    prior = np.array([9.5, 3.5]) / 13
    first = confused[[0, 1], 0] * prior
    expected = np.array([first / first.sum(), prior, prior])
    target = Labels(answers)
    asking = CTX.lend("attribute/fredrikson")
    # as many own people are asked about as there are candidates' people, unless the budget says otherwise
    np.testing.assert_allclose(Fredrikson().guess(target, asked, asking), expected)
    assert target.queries == 3 * 2 + 12


def test_fredrikson_of_numbers_is_gaussian_with_the_attackers_own_errors():
    rng = np.random.default_rng(5)
    answers = rng.normal(size=(60, 3))
    labels, (_, values) = rng.normal(size=60), own(30, 3)
    asked = question(labels[:30], labels[30:], values, 3)
    spread = np.sqrt(np.mean([(answers[30 + i, v] - labels[30 + i]) ** 2 for i, v in enumerate(values)]))
    density = norm.pdf(labels[:30, None], answers[:30], spread) * asked.prior
    expected = density / density.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Fredrikson().guess(Numbers(answers), asked, CTX), expected)


def test_yeom_is_the_density_of_the_training_loss_times_the_prior():
    answers, labels = tables(50, 3, 2), np.random.default_rng(6).integers(0, 2, 30)
    asked = question(labels, *own(20, 3), 3)
    true = np.take_along_axis(answers[:30], labels[:, None, None], axis=2)[:, :, 0]
    for given, mean in ((0.2, 0.2), (None, np.mean(-np.log(true.max(axis=1))))):
        density = np.exp(np.log(true) / mean) / mean * asked.prior
        expected = density / density.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(Yeom(training_error=given).guess(scores(answers), asked, CTX), expected)


def test_yeom_of_numbers_is_gaussian_with_the_training_error():
    rng = np.random.default_rng(7)
    answers, labels, (_, values) = rng.normal(size=(40, 2)), rng.normal(size=40), own(20)
    asked = question(labels[:20], labels[20:], values)
    residuals = answers[:20] - labels[:20, None]
    estimated = np.sqrt(np.mean(np.abs(residuals).min(axis=1) ** 2))
    for given, spread in ((0.5, 0.5), (None, estimated)):
        density = norm.pdf(residuals, 0, spread) * asked.prior
        expected = density / density.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(Yeom(training_error=given).guess(Numbers(answers), asked, CTX), expected)


def test_a_model_without_errors_gives_finite_beliefs():
    values = own(20)[1]
    answers = np.tile([0.0, 1.0], (30, 1))
    asked = question(np.r_[np.zeros(5), np.ones(5)], values.astype(float), values)
    for cls in (Fredrikson, Yeom):
        belief = cls().guess(Numbers(answers), asked, CTX)
        np.testing.assert_allclose(belief, np.eye(2)[[0] * 5 + [1] * 5], atol=1e-12)


@pytest.mark.parametrize("error", [0.0, -1.0, float("nan")])
def test_a_training_error_is_above_0(error: float):
    with pytest.raises(ConfigError, match="expected a number above 0"):
        Yeom(training_error=error)


def labeled(n: int, seed: int) -> Records:
    """People of a kind (column 1) that tells their value (column 0), and a label that tells nothing."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    value = np.where(rng.random(n) < 0.7, kind, rng.integers(0, 3, n))
    return Records(np.column_stack([value, kind]).astype(float), rng.integers(0, 2, n))


def played(attack: AttributeAttack[Any], target: Target, data: Split, games: dict[str, Any], seed: int = 0) -> Any:
    ctx = Context(seed=seed, attack=attack.name, population=data.population, games=games)
    game = attack.game(data, ctx)
    return game, game.gather(lambda q: attack._belief(target, q, ctx))


def both_imputers(game: Any) -> Any:
    names = [f"{learner}, many people, with the label" for learner in ("logistic", "boosting")]
    return sum(game.imputations[name] for name in names) / 2


def test_model_times_imputation_is_their_product_and_pays_for_one_fit(monkeypatch: pytest.MonkeyPatch):
    data = Split(labeled(80, 1), labeled(80, 2), labeled(400, 3))
    answers, fitted = tables(3, 3, 2), []
    fit = _imputers.fit_predict

    def counted(model: Any, *rest: Any) -> Any:
        fitted.append(type(model).__name__)
        return fit(model, *rest)

    monkeypatch.setattr(_imputers, "fit_predict", counted)
    attack = ModelImputer(hidden=hide("0", data))
    game, belief = played(attack, scores(answers), data, {})
    assert fitted == ["LogisticRegression", "HistGradientBoostingClassifier"]
    imputed = both_imputers(game)
    assert len(fitted) == 8
    kind = game.people.X[:, 1].astype(int)
    product = answers[kind, :, game.people.y] * imputed
    np.testing.assert_allclose(belief, product / product.sum(axis=1, keepdims=True))


def test_model_times_imputation_of_numbers():
    members, others, public = (labeled(n, s) for n, s in ((80, 1), (80, 2), (400, 3)))
    answers = np.random.default_rng(8).normal(size=(3, 3))
    sides = [Records(r.X, np.random.default_rng(len(r.y)).normal(size=len(r))) for r in (members, others, public)]
    data = Split(*sides)
    attack = ModelImputer(hidden=hide("0", data))
    game, belief = played(attack, Numbers(answers), data, {})
    rows = attack.own_people(game.questions[0], Context())
    X, y = sides[2].X[rows].astype(int), sides[2].y[rows]
    spread = np.sqrt(np.mean((answers[X[:, 1], X[:, 0]] - y) ** 2))
    density = norm.pdf(game.people.y[:, None], answers[game.people.X[:, 1].astype(int)], spread)
    product = density * both_imputers(game)
    np.testing.assert_allclose(belief, product / product.sum(axis=1, keepdims=True))


def test_odds_are_the_standing_among_non_members_and_keep_the_order():
    reference = np.array([1.0, 2.0, 2.0, 3.0])
    asked = np.array([0.0, 1.5, 2.0, 9.0, 9.5])
    odds = odds_of_membership(asked, reference)
    ranks = np.array([0, 1, 2, 4, 4]) + 0.5
    share = odds / (1 + odds)
    np.testing.assert_allclose(share * 5, ranks, atol=0.25)
    assert (np.diff(odds) > 0).all()
    assert odds_of_membership(np.array([2.0, 2.0]), reference).tolist() == pytest.approx([1.0, 1.0])
    changed = odds_of_membership(np.exp(asked), np.exp(reference))
    np.testing.assert_allclose(changed, odds)


@pytest.mark.parametrize("oracle", [ModifiedEntropy(), Loss(), Loss(per_class=True), Confidence(), Correctness()])
def test_the_oracle_is_asked_about_every_candidate(oracle: Any):
    """With two classes and right answers all these scores rise with the probability of the label."""
    n = 40
    answers = tables(n + 60, 2, 2)
    answers[:n] = [[0.1, 0.9], [0.8, 0.2]]
    labels = np.repeat([0, 1], n // 2)
    asked = question(labels, *own(60))
    target = scores(answers)
    belief = MembershipOracle(oracle=oracle).guess(target, asked, CTX)
    odds = belief / asked.prior
    expected = np.array([1, 0])[labels] if oracle.id != "membership/confidence" else np.zeros(n)
    np.testing.assert_array_equal(odds.argmax(axis=1), expected)
    assert target.queries == n * 2 + len(MembershipOracle().own_people(asked, CTX))


@pytest.mark.parametrize(
    ("oracle", "line"),
    [(Lira(), "needs shadow models"), (NoiseRobustness(), "asks more than one"), (GradientNorm(), "asks more")],
)
def test_oracles_that_cannot_be_asked_about_candidates_are_refused(oracle: Any, line: str):
    asked = question([0, 1], *own(20))
    target = scores(tables(22, 2, 2))
    attack = MembershipOracle(hidden=asked.hidden, oracle=oracle)
    assert line in str(attack.inapplicable(target))
    with pytest.raises(NotApplicableError, match=line) as caught:
        attack.guess(target, asked, CTX)
    assert "\n" not in str(caught.value)


def test_access_is_named():
    asked = question([0, 1], *own(20))
    labels, numbers, full = Labels(tables(22, 2, 2)), Numbers(np.zeros((22, 2))), scores(tables(22, 2, 2))
    reasons = {cls: [cls(hidden=asked.hidden).inapplicable(t) for t in (labels, numbers, full)] for cls in EVERY}
    for cls, (by_label, by_number, by_score) in reasons.items():
        assert (by_label is None) == (cls in (Fredrikson, Lomia))
        assert (by_number is None) == (cls in OF_NUMBERS)
        assert by_score is None
    inside = MembershipOracle(hidden=asked.hidden, oracle=SquaredError())
    assert "needs values access" in str(inside.inapplicable(full))


class Counting:
    """Probabilities of a table of people and values, and a count of the rows asked about."""

    def __init__(self, answers: np.ndarray) -> None:
        self.answers, self.rows = answers, 0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        self.rows += len(X)
        return self.answers[X[:, 1].astype(int), X[:, 0].astype(int)]


def test_attacks_on_one_attribute_ask_about_candidates_once():
    data = Split(labeled(60, 1), labeled(60, 2), labeled(200, 3))
    function = Counting(tables(3, 3, 2))
    target, games = remembered(FunctionScores(function, classes=np.arange(2))), {}
    hidden = hide("0", data)
    candidates = 120 * 3
    for number, cls in enumerate((ConfidencePrior, Csmia, Lomia, Yeom, ModelImputer)):
        before = target.queries
        played(cls(hidden=hidden), target, data, games)
        assert function.rows == candidates
        assert target.queries - before == candidates, number
    people = len(Fredrikson(hidden=hidden).own_people(games["0"].questions[0], Context()))
    assert 0 < people <= 200
    for cls in (Fredrikson, MembershipOracle):
        before = target.queries
        played(cls(hidden=hidden), target, data, games)
        assert function.rows == candidates + people
        assert target.queries - before == candidates + people


def unknowing(n: int, seed: int) -> Records:
    rng = np.random.default_rng(seed)
    return Records(
        np.column_stack([rng.integers(0, 3, n), rng.integers(0, 4, n), rng.integers(0, 5, n)]).astype(float),
        rng.integers(0, 2, n),
    )


@pytest.mark.parametrize("cls", EVERY)
def test_unknown_columns_are_averaged_over(cls: type[AttributeAttack[Any]]):
    """The answer does not depend on the hidden column, but on an unknown one: nothing but the prior can be told."""
    data = Split(unknowing(60, 1), unknowing(60, 2), unknowing(300, 3))
    hidden = hide("0", data, known=["1"])
    assert hidden.unknown == ("2",)
    answers = tables(5, 1, 2)[:, 0]
    target = FunctionScores(lambda X: answers[X[:, 2].astype(int)], classes=np.arange(2))
    game, belief = played(cls(hidden=hidden), target, data, {})
    (asked,) = game.questions
    expected = np.full(3, 1 / 3) if cls is Csmia else asked.prior
    if cls is ModelImputer:
        expected = both_imputers(game)
    np.testing.assert_allclose(belief, np.broadcast_to(expected, belief.shape), atol=1e-6)
    assert target.queries >= 120 * 3 * asked.draws > 120 * 3


def test_densities_are_averaged_over_completions():
    data = Split(unknowing(40, 1), unknowing(40, 2), unknowing(300, 3))
    hidden = hide("0", data, known=["1"])
    answers = tables(5, 3, 2)
    target = FunctionScores(lambda X: answers[X[:, 2].astype(int), X[:, 0].astype(int)], classes=np.arange(2))
    game, belief = played(Yeom(hidden=hidden, training_error=0.3), target, data, {})
    (asked,) = game.questions
    rows = np.concatenate([block.X for block in asked.blocks()]).astype(int)
    label = np.repeat(asked.people.y, 3 * asked.draws)
    density = answers[rows[:, 2], rows[:, 0], label] ** (1 / 0.3)
    expected = density.reshape(80, 3, asked.draws).mean(axis=2) * asked.prior
    np.testing.assert_allclose(belief, expected / expected.sum(axis=1, keepdims=True))


@pytest.fixture(scope="module")
def mixed() -> tuple[Split, Any]:
    """People with a one-hot group and an age, and a forest that remembers them."""
    from sklearn.ensemble import RandomForestClassifier

    def side(n: int, seed: int) -> Records:
        rng = np.random.default_rng(seed)
        group = np.eye(3)[rng.integers(0, 3, n)]
        frame = pd.DataFrame({"a": group[:, 0], "b": group[:, 1], "c": group[:, 2]})
        size = rng.integers(-2, 3, n)
        return Records(
            frame.assign(age=rng.integers(20, 50, n), size=size), (size + rng.normal(0, 2, n) > 0).astype(int)
        )

    data = Split(side(300, 1), side(300, 2), side(2_000, 3))
    forest = RandomForestClassifier(60, random_state=0, bootstrap=False).fit(data.members.X, data.members.y)
    return data, forest


def beyond(hits: np.ndarray, is_member: np.ndarray) -> float:
    """How far more often members are guessed rightly than others, in standard deviations."""
    share = hits.mean()
    return float((hits[is_member].mean() - hits[~is_member].mean()) / np.sqrt(share * (1 - share) * 4 / len(hits)))


@pytest.mark.parametrize("cls", EVERY)
def test_a_one_hot_group_is_read_from_a_model_that_remembers(cls: type[AttributeAttack[Any]], mixed: Any):
    data, forest = mixed
    game, belief = played(cls(hidden=hide("kind=a+b+c", data)), from_sklearn(forest), data, {})
    assert belief.shape == (600, 3)
    assert beyond(belief.argmax(axis=1) == game.truth, game.is_member) > 3


@pytest.mark.parametrize("cls", EVERY)
def test_a_number_is_guessed_on_its_grid(cls: type[AttributeAttack[Any]], mixed: Any):
    data, forest = mixed
    game, belief = played(cls(hidden=hide("age", data)), from_sklearn(forest), data, {})
    assert belief.shape == (600, 12)
    np.testing.assert_allclose(belief.sum(axis=1), 1)
    if cls in (Csmia, Yeom, MembershipOracle):
        assert beyond(belief.argmax(axis=1) == game.truth, game.is_member) > 3


@pytest.mark.parametrize("cls", OF_NUMBERS)
def test_a_group_is_read_from_a_regression_that_remembers(cls: type[AttributeAttack[Any]], mixed: Any):
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(1)
    sides = [
        Records(r.X, rng.normal(size=len(r))) for r in (mixed[0].members, mixed[0].nonmembers, mixed[0].population)
    ]
    data = Split(*sides)
    tree = DecisionTreeRegressor(random_state=0).fit(data.members.X, data.members.y)
    game, belief = played(cls(hidden=hide("kind=a+b+c", data)), from_sklearn(tree), data, {})
    assert beyond(belief.argmax(axis=1) == game.truth, game.is_member) > 2


@pytest.mark.parametrize("cls", EVERY)
def test_the_same_seed_gives_the_same_beliefs(cls: type[AttributeAttack[Any]], mixed: Any):
    data, forest = mixed
    attack = cls(hidden=hide("kind=a+b+c", data))
    first, second = (played(attack, from_sklearn(forest), data, {}, seed=5)[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_audit_asks_no_more_than_it_may():
    """Everyone is asked about once, the population included; candidates and practice share what is left."""

    def single(n: int, seed: int) -> Records:
        known = labeled(n, seed)
        return Records(np.column_stack([known.X, np.random.default_rng(seed).normal(size=n)]), known.y)

    data = Split(single(150, 1), single(150, 2), single(1_500, 3))
    function = Counting(tables(3, 3, 2))
    sides = {"members": data.members, "nonmembers": data.nonmembers, "population": data.population}
    ids = [cls.id for cls in EVERY]
    report = audit(function, **sides, attacks=ids, hidden=["0"], max_queries=3_000)
    played = [f for f in report.findings if f.id.startswith("attribute/")]
    assert len(played) == len(EVERY)
    assert all(f.queries > 0 for f in played)
    assert 1_800 < function.rows <= 3_000
