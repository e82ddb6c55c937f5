"""Training defenses: each is its formula, sets its knob, and trains the same model from the same seed."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from keepmum.data import Records
from keepmum.defenses import defended
from keepmum.defenses.output import Rounding
from keepmum.defenses.training import (
    L2,
    Adversarial,
    AntiAdversarial,
    ConfidencePenalty,
    Depth,
    Distillation,
    DpLogisticRegression,
    DpSgd,
    Dropout,
    EarlyStopping,
    FlatConfidence,
    Hamp,
    HeuristicDp,
    LabelSmoothing,
    LeafSize,
    Mixup,
    MoreData,
    Pate,
    RelaxLoss,
    Selena,
    SmallerModel,
)
from keepmum.defenses.training.distillation import warmed
from keepmum.defenses.training.flat_confidence import Flat, blurred, noise_like
from keepmum.defenses.training.hamp import top_of
from keepmum.defenses.training.pate import parts_of
from keepmum.defenses.training.relaxloss import Relaxed
from keepmum.defenses.training.selena import left_out
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.training import FunctionTrainer, Moment, SklearnTrainer, TorchTrainer

torch = pytest.importorskip("torch")
nn = torch.nn


class Net:
    def __call__(self):
        return nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))


def people(count: int = 90, seed: int = 0) -> Records:
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    return Records((rng.normal(size=(count, 5)) + 2 * np.eye(5)[y]).astype(np.float32), y)


RECIPE = TorchTrainer(Net(), lr=0.01, epochs=4, batch_size=16)
LOSSES = [
    LabelSmoothing(0.2),
    LabelSmoothing(-0.1),
    ConfidencePenalty(0.5),
    Mixup(),
    RelaxLoss(2.0),
    Hamp(),
    FlatConfidence(),
    FlatConfidence(unclear=("noise",)),
    Adversarial(steps=2),
    AntiAdversarial(steps=2),
]
OTHERS = [
    L2(),
    Dropout(),
    EarlyStopping(),
    MoreData(share=0.5),
    MoreData(extra=people(30, 5)),
    Distillation(),
    Distillation(2.0, people(60, 7)),
    Selena(4, 2),
    Pate(3, 0.5, people(60, 8)),
    DpSgd(noise=1.0, batch=30),
    HeuristicDp(),
]


def moment(epoch: int = 0) -> Moment:
    return Moment(epoch, 4, np.random.default_rng(0), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("defense", [*LOSSES, *OTHERS], ids=lambda d: d.name)
def test_the_same_seed_trains_the_same_model_and_the_key_tells_the_defense(defense):
    trainer, X = defense.protect(RECIPE), people()
    first, again = (trainer.train(X, 3).predict_proba(X) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (90, 3)
    assert trainer.key != RECIPE.key
    assert defense.protect(RECIPE).key == trainer.key
    assert pickle.loads(pickle.dumps(trainer)).key == trainer.key
    assert not np.array_equal(first, RECIPE.train(X, 3).predict_proba(X))


@pytest.mark.parametrize("defense", [LabelSmoothing(0.2), Selena(4, 2), Distillation(), DpSgd(noise=1.0, batch=30)])
def test_fleets_are_what_each_would_be_alone(defense):
    X, trainer = people(), defense.protect(RECIPE)
    masks = np.zeros((2, 90), dtype=bool)
    masks[0, :45], masks[1, 45:] = True, True
    fleet = list(trainer.train_fleet(X, masks, [1, 2]))
    assert np.array_equal(fleet[1].predict_proba(X), trainer.train(X.take(masks[1]), 2).predict_proba(X))


def test_smoothing_is_that_of_torch():
    logits, y = torch.randn(7, 4), torch.arange(7) % 4
    made = LabelSmoothing(0.3).objective().loss(lambda X: X, logits, y, moment())
    assert torch.allclose(made, nn.functional.cross_entropy(logits, y, label_smoothing=0.3))
    plain = nn.functional.cross_entropy(logits, y)
    flat = -logits.log_softmax(1).mean()
    negative = LabelSmoothing(-0.2).objective().loss(lambda X: X, logits, y, moment())
    assert torch.allclose(negative, 1.2 * plain - 0.2 * flat)


def test_penalty_and_mixtures():
    logits, y = torch.randn(6, 3), torch.arange(6) % 3
    p = logits.softmax(1)
    want = nn.functional.cross_entropy(logits, y) + 0.5 * (p * p.log()).sum(1).mean()
    assert torch.allclose(ConfidencePenalty(0.5).objective().loss(lambda X: X, logits, y, moment()), want)
    seen = []
    Mixup().objective().loss(lambda X: seen.append(X) or X, logits, y, moment())
    rng = np.random.default_rng(0)
    share, order = rng.beta(1, 1), rng.permutation(6)
    assert torch.allclose(seen[0], share * logits + (1 - share) * logits[order], atol=1e-6)


def test_relaxed_losses_turn_below_the_level():
    y = torch.tensor([0, 1, 2])
    sure, unsure = 9 * torch.eye(3), torch.zeros(3, 3)
    relaxed = Relaxed(0.5, 1.0)
    plain = nn.functional.cross_entropy
    assert torch.allclose(relaxed.loss(lambda X: X, unsure, y, moment()), plain(unsure, y))
    assert torch.allclose(relaxed.loss(lambda X: X, sure, y, moment(0)), -plain(sure, y))
    p = sure.softmax(1).diagonal()
    soft = torch.eye(3) * p[:, None] + (1 - torch.eye(3)) * ((1 - p) / 2)[:, None]
    assert torch.allclose(relaxed.loss(lambda X: X, sure, y, moment(1)), plain(sure, soft))


@pytest.mark.parametrize("share", [0.3, 0.8, 0.95])
def test_uncertain_labels_have_their_entropy(share):
    own = top_of(10, share)
    rest = (1 - own) / 9
    entropy = -(own * np.log(own) + 9 * rest * np.log(rest))
    assert entropy == pytest.approx(share * np.log(10), abs=1e-6)
    assert own > rest


def test_unclear_inputs():
    X = torch.arange(12.0).reshape(4, 3)
    noise = noise_like(X, moment())
    assert all(set(noise[:, c].tolist()) <= set(X[:, c].tolist()) for c in range(3))
    image = torch.zeros(1, 1, 6, 6)
    image[0, 0, 3, 3] = 1
    assert 0 < float(blurred(image).max()) < 0.2
    assert float(blurred(torch.ones(2, 1, 4, 4)).min()) == pytest.approx(1)
    seen = []
    Flat(1.0, ("noise", "blur", "mixtures")).loss(
        lambda X: seen.append(X) or X, torch.randn(5, 3), torch.arange(5) % 3, moment()
    )
    assert len(seen) == 4


def test_adversarial_inputs_raise_the_loss_and_stay_near():
    from keepmum.defenses.training.adversarial import stepped

    torch.manual_seed(0)
    net, X, y = Net()(), torch.randn(20, 5), torch.arange(20) % 3
    loss = lambda z: float(nn.functional.cross_entropy(net(z), y).detach())  # noqa: E731
    worse, better = stepped(net, X, y, 0.3, 5), stepped(net, X, y, -0.3, 5)
    assert loss(better) < loss(X) < loss(worse)
    assert float((worse - X).abs().max()) <= 0.3 + 1e-6


def test_early_stopping_stops_and_keeps_the_best():
    trainer = replace(EarlyStopping(patience=1, held_out=0.3).protect(RECIPE), epochs=200, lr=0.1)
    X = people(60)
    noisy = Records(X.X, np.random.default_rng(0).integers(0, 3, 60))
    long = replace(RECIPE, epochs=200, lr=0.1)
    assert (trainer.train(noisy, 0).predict(noisy) == noisy.y).mean() < (
        long.train(noisy, 0).predict(noisy) == noisy.y
    ).mean()


def test_dropout_is_put_behind_activations_or_set_where_it_is():
    module = Dropout(0.3).protect(RECIPE).build()
    assert [type(part).__name__ for part in module] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert module[2].p == 0.3
    own = TorchTrainer(lambda: nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.9), nn.Linear(4, 3)))
    assert Dropout(0.1).protect(own).build()[1].p == 0.1
    with pytest.raises(NotApplicableError, match="a sequence with activations"):
        Dropout().protect(TorchTrainer(lambda: nn.Linear(5, 3)))


def test_no_submodel_that_saw_a_record_labels_it():
    masks = left_out(50, 7, 3, 0)
    assert ((~masks).sum(axis=0) == 3).all()
    asked = []

    class Watching(SklearnTrainer):
        def train_fleet(self, records, trained_on, seeds):
            for mask, target in zip(trained_on, super().train_fleet(records, trained_on, seeds), strict=True):
                original, own = target.predict_proba, {tuple(row) for row in records.X[mask].tolist()}

                def watched(some, original=original, own=own):
                    asked.append(any(tuple(row) in own for row in some.X.tolist()))
                    return original(some)

                target.predict_proba = watched
                yield target

    Selena(5, 2).protect(Watching(DecisionTreeClassifier())).train(people(), 0)
    assert asked == [False] * 5


def test_students_never_see_the_members_labels():
    reference = people(60, 9)
    wrong = Records(reference.X, reference.y[::-1].copy())
    first, second = (Distillation(reference=r).protect(RECIPE).train(people(), 0) for r in (reference, wrong))
    assert np.array_equal(first.predict_proba(people()), second.predict_proba(people()))
    assert warmed(np.array([[0.8, 0.2]]), 2.0) == pytest.approx(np.array([[2 / 3, 1 / 3]]))


def test_teachers_have_parts_of_their_own_and_their_accounting_is_gaussian():
    masks = parts_of(people(), 4, 0)
    assert (masks.sum(axis=0) == 1).all()
    assert set(masks.sum(axis=1)) <= {22, 23}
    from keepmum.accounting import gaussian_epsilon

    assert Pate(noise=40.0).epsilon(100) == pytest.approx(gaussian_epsilon(40 / np.sqrt(2), 100, 1e-5))
    assert Pate(noise=80.0).epsilon(100) < Pate(noise=40.0).epsilon(100)


def test_a_share_and_further_records():
    sizes = []

    class Counting(SklearnTrainer):
        def train(self, records, seed):
            sizes.append(len(records))
            return super().train(records, seed)

    for defense in (MoreData(share=0.5), MoreData(extra=people(30, 5))):
        defense.protect(Counting(DecisionTreeClassifier())).train(people(), 0)
    assert sizes == [45, 120]
    with pytest.raises(ConfigError, match="give further records"):
        MoreData().protect(RECIPE)


@pytest.mark.parametrize(
    ("defense", "estimator", "name", "value"),
    [
        (L2(0.5), MLPClassifier(), "alpha", 0.5),
        (L2(0.5), LogisticRegression(), "C", 2.0),
        (L2(0.5), HistGradientBoostingClassifier(), "l2_regularization", 0.5),
        (EarlyStopping(3), MLPClassifier(), "n_iter_no_change", 3),
        (SmallerModel(0.5), MLPClassifier((40, 20)), "hidden_layer_sizes", (20, 10)),
        (SmallerModel(0.5), RandomForestClassifier(), "n_estimators", 50),
        (LeafSize(7), RandomForestClassifier(), "min_samples_leaf", 7),
        (Depth(3), DecisionTreeClassifier(), "max_depth", 3),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_knobs_are_turned_also_at_the_end_of_a_pipeline(defense, estimator, name, value):
    assert defense.protect(SklearnTrainer(estimator)).estimator.get_params()[name] == value
    pipeline = make_pipeline(StandardScaler(), estimator)
    made = defense.protect(SklearnTrainer(pipeline))
    assert made.estimator.steps[-1][1].get_params()[name] == value
    assert pipeline.steps[-1][1].get_params()[name] != value, "the caller's own estimator stays as it was"


@pytest.mark.parametrize("defense", LOSSES, ids=lambda d: d.name)
def test_losses_need_torch_and_no_loss_of_its_own(defense):
    with pytest.raises(NotApplicableError, match="needs a recipe for torch modules"):
        defense.protect(SklearnTrainer(DecisionTreeClassifier()))
    with pytest.raises(NotApplicableError, match="minimizes cross-entropy"):
        defense.protect(LabelSmoothing().protect(RECIPE))


def test_what_suits_no_recipe_is_said():
    for defense in (LeafSize(), Depth(), SmallerModel()):
        with pytest.raises(NotApplicableError):
            defense.protect(SklearnTrainer(LogisticRegression()))
    with pytest.raises(NotApplicableError, match="smaller module"):
        SmallerModel().protect(RECIPE)
    with pytest.raises(NotApplicableError, match="does not suit"):
        L2().protect(FunctionTrainer(lambda records, seed: None, "f"))
    with pytest.raises(NotApplicableError, match="without steps before it"):
        DpLogisticRegression().protect(SklearnTrainer(make_pipeline(StandardScaler(), LogisticRegression())))


def test_private_logistic_regression_is_trained_and_told():
    trainer = DpLogisticRegression(-4, 4, epsilon=5.0).protect(SklearnTrainer(LogisticRegression()))
    X = people(300)
    target = trainer.train(X, 0)
    assert (target.predict(X) == X.y).mean() > 0.7
    assert np.array_equal(target.predict_proba(X), trainer.train(X, 0).predict_proba(X))
    model = target.internals
    assert model.statement_.epsilon <= 5.0
    assert model.coef_.shape == (3, 6)


def test_bounds_of_the_records_are_warned_of_and_records_count_for_no_more_than_the_norm():
    from keepmum.training.private_logistic import PrivateLogisticRegression

    X = people(60)
    with pytest.warns(UserWarning, match="the guarantee does not cover them"):
        PrivateLogisticRegression(1.0).fit(X.X, X.y)
    model = PrivateLogisticRegression(1.0, bounds=(-3, 3)).fit(X.X, X.y)
    assert np.linalg.norm(model._scaled(1e6 * X.X), axis=1).max() <= 1 + 1e-9
    with pytest.raises(ConfigError, match="low end at or below"):
        PrivateLogisticRegression(1.0, bounds=(3, -3)).fit(X.X, X.y)


@pytest.mark.parametrize(
    "make",
    [
        lambda: L2(0),
        lambda: Dropout(1),
        lambda: EarlyStopping(0),
        lambda: SmallerModel(1),
        lambda: MoreData(0),
        lambda: Distillation(0),
        lambda: Selena(3, 3),
        lambda: RelaxLoss(0),
        lambda: Hamp(1),
        lambda: LabelSmoothing(0),
        lambda: ConfidencePenalty(0),
        lambda: Mixup(0),
        lambda: FlatConfidence(unclear=("fog",)),
        lambda: Adversarial(0),
        lambda: AntiAdversarial(steps=0),
        lambda: Pate(1),
        lambda: LeafSize(1),
        lambda: Depth(0),
        lambda: DpSgd(0),
        lambda: HeuristicDp(0),
        lambda: DpLogisticRegression(1, 0),
        lambda: replace(RECIPE, patience=-1),
        lambda: replace(RECIPE, objective=3),
    ],
)
def test_bad_settings_are_one_line(make):
    with pytest.raises(ConfigError, match="expected") as caught:
        make()
    assert "\n" not in str(caught.value)


def test_defenses_act_together():
    trainer = defended(RECIPE, Rounding(1), LabelSmoothing(0.2))
    told = trainer.train(people(), 0).predict_proba(people())
    assert np.allclose(told * 10, np.round(told * 10))
    assert "label" in trainer.key.lower() or "Smoothed" in trainer.key
    assert "output/rounding" in trainer.key


def test_without_an_objective_the_key_is_what_it_was():
    assert "objective" not in RECIPE.key
    assert "patience" not in RECIPE.key
    assert replace(RECIPE, patience=2).key != RECIPE.key
