"""Shokri's shadow models: the attacker's own records or made-up ones, never those who are judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import zoo
from keepmum.attacks import Context, choose
from keepmum.attacks.membership import ShadowClassifier, Source
from keepmum.attacks.membership.shadow_classifier import answers, tell
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.findings import Outcome
from keepmum.shadows import Shadows, ShadowStore, scaled_logit
from keepmum.synthetic import Marginals
from keepmum.targets import RecordedScores
from keepmum.training import FunctionTrainer, SklearnTrainer

TREE = SklearnTrainer(DecisionTreeClassifier(min_samples_leaf=2))


class Watched(FunctionTrainer):
    """Remembers what it was given to train on."""

    def __init__(self) -> None:
        super().__init__(self._fit, "watched")
        self.seen: list[Records] = []

    def _fit(self, records: Records, seed: int) -> object:
        self.seen.append(records)
        return DecisionTreeClassifier(random_state=0).fit(records.X, records.y)


def rows(records: Records) -> set[bytes]:
    return {row.tobytes() for row in np.asarray(records.X)}


def target_of(data: Split):
    return TREE.train(data.members, 0)


def test_the_attacker_trains_on_the_population_and_on_nobody_else() -> None:
    data = zoo.split(100)
    population = zoo.people(160, 77)
    trainer = Watched()
    ctx = Context(attack="membership/shadow-classifier", trainer=trainer)
    finding = ShadowClassifier().run(target_of(data), replace(data, population=population), ctx)
    assert len(trainer.seen) == 4
    assert all(len(seen) == 80 for seen in trainer.seen)
    assert all(rows(seen) <= rows(population) for seen in trainer.seen)
    assert finding.queries == 200


def test_without_a_population_records_are_made_up_after_non_members_who_are_not_asked_about() -> None:
    data = zoo.split(100)
    known: list[Records] = []

    def watch(records: Records, n: int, rng: np.random.Generator) -> Records:
        known.append(records)
        return Marginals()(records, n, rng)

    trainer = Watched()
    ctx = Context(attack="membership/shadow-classifier", trainer=trainer)
    ShadowClassifier(generator=watch).run(target_of(data), data, ctx)
    assert [len(records) for records in known] == [50, 50]
    assert all(rows(records) <= rows(data.nonmembers) for records in known)
    assert not rows(known[0]) & rows(known[1])
    assert len(trainer.seen) == 4
    assert all(len(seen) == 100 for seen in trainer.seen)
    assert not any(rows(seen) & rows(data.members) for seen in trainer.seen)


def test_made_up_records_may_carry_the_targets_labels() -> None:
    data = zoo.split(100)
    trainer, target = Watched(), target_of(data)
    attack = ShadowClassifier(source=Source.SYNTHETIC, labeled_by_target=True, rows=60)
    population = zoo.people(80, 5)
    attack.run(target, replace(data, population=population), Context(attack=attack.name, trainer=trainer))
    for seen in trainer.seen:
        np.testing.assert_array_equal(seen.y, target.classes[target.predict(seen)])
        assert len(seen) == 30


def test_variants_are_had_by_name() -> None:
    names = ["membership/shadow-classifier:synthetic", "membership/shadow-classifier:synthetic-labeled"]
    assert [attack.name for attack in choose(names)] == names
    assert ShadowClassifier().name == "membership/shadow-classifier"
    assert ShadowClassifier(labeled_by_target=True).name == "membership/shadow-classifier"


@pytest.mark.parametrize("attack", [ShadowClassifier(), *ShadowClassifier.variants()], ids=lambda a: a.name)
def test_finds_a_tree_that_memorized(attack: ShadowClassifier) -> None:
    data = replace(zoo.split(400, 3), population=zoo.people(400, 9))
    for split in (data, replace(data, population=None)):
        finding = attack.run(target_of(split), split, Context(attack=attack.name, trainer=TREE))
        assert finding.outcome is Outcome.LEAK
        assert finding.metrics["auc"].value > 0.65


def alarms(attack: ShadowClassifier, runs: int) -> int:
    """How often a leak is claimed of a tree and of a nearest neighbor that never saw the people."""
    count = 0
    for seed in range(runs):
        data = zoo.split(60, 300 + seed)
        model = SklearnTrainer(KNeighborsClassifier(1)) if seed % 2 else TREE
        split = replace(data, population=zoo.people(60, 800 + seed)) if seed % 4 < 2 else data
        target = model.train(zoo.people(60, 4000 + seed), 0)
        ctx = Context(seed=seed, attack=attack.name, trainer=model)
        count += attack.run(target, split, ctx).outcome is Outcome.LEAK
    return count


VARIANTS = pytest.mark.parametrize("attack", [ShadowClassifier(), *ShadowClassifier.variants()], ids=lambda a: a.name)


@VARIANTS
def test_a_model_that_saw_others_is_rarely_called_leaky_quick(attack: ShadowClassifier) -> None:
    assert alarms(attack, 16) <= 3


@pytest.mark.slow
@VARIANTS
def test_a_model_that_saw_others_is_rarely_called_leaky(attack: ShadowClassifier) -> None:
    assert alarms(attack, 200) <= 200 * (0.05 + 2 * np.sqrt(0.05 * 0.95 / 200))


def test_answers_equal_their_slow_twin() -> None:
    data = zoo.split(50)
    for target in (zoo.Lookup(data.members), SklearnTrainer(KNeighborsClassifier(3)).train(data.members, 0)):
        seen = answers(target, data.pool)
        given = target.predict_proba(data.pool)
        np.testing.assert_allclose(seen[:, 0], scaled_logit(target, data.pool))
        for i in range(len(seen)):
            assert seen[i, 1:].tolist() == [*sorted(given[i], reverse=True), 0.0, 0.0]
    strange = Records(data.pool.X[:2], np.array([0, 99]))
    assert answers(target, strange)[1, 0] == pytest.approx(np.log(1e-300))


class Mean(DummyClassifier):
    """Learns nothing but the mean signal of the members that it is given."""

    def fit(self, X, y):
        self.told_ = float(X[y, 0].mean())
        return self

    def decision_function(self, X):
        return np.full(len(X), self.told_)


def test_large_classes_have_a_classifier_of_their_own_and_small_ones_share() -> None:
    labels = np.repeat(["a", "b", "c", "d"], [300, 300, 20, 20])
    signal = np.repeat([1.0, 2.0, 3.0, 5.0], [300, 300, 20, 20])
    trained_on = np.stack([np.arange(640) % 2 == 0, np.arange(640) % 2 == 1])
    rows_ = [np.column_stack([signal, signal]).astype(np.float32) for _ in range(2)]
    asked = np.zeros((5, 2))
    scores = tell(
        Shadows(np.arange(640), rows_, trained_on), labels, asked, np.array(["a", "b", "c", "d", "e"]), Mean()
    )
    np.testing.assert_allclose(scores, [1, 2, 4, 4, 4])
    everyone = tell(
        Shadows(np.arange(600), [r[:600] for r in rows_], trained_on[:, :600]),
        labels[:600],
        asked[:1],
        np.array(["z"]),
        Mean(),
    )
    assert everyone == pytest.approx(1.5)


def test_says_what_it_lacks() -> None:
    data = zoo.split(60)
    with pytest.raises(NotApplicableError, match="needs to train models like the target: none were asked for"):
        ShadowClassifier().run(target_of(data), data, Context())
    lone = Split(data.members, data.nonmembers.take(np.arange(3)))
    with pytest.raises(NotApplicableError, match="needs records of the attacker's own"):
        ShadowClassifier().run(target_of(data), lone, Context(trainer=TREE))


def test_models_that_cannot_be_trained_are_a_reason() -> None:
    data = zoo.split(seed=3)
    alike = Records(data.members.X[:40], np.zeros(40, dtype=int))
    trainer = SklearnTrainer(DecisionTreeClassifier())
    with pytest.raises(NotApplicableError, match=r"which failed: expected a model of at least two classes, got \[0\]"):
        ShadowClassifier().score(zoo.Ignorant(), data.pool, Context(trainer=trainer, population=alike))


def test_labels_of_the_target_cost_queries_that_must_be_there() -> None:
    data = zoo.split(60)
    attack = ShadowClassifier(labeled_by_target=True)
    with pytest.raises(NotApplicableError, match="needs 120 queries to label made-up records; 119 are left"):
        attack.run(target_of(data), data, Context(trainer=TREE, queries_left=239))
    told = RecordedScores(target_of(data).predict_proba(data.pool), np.arange(3))
    assert "needs the model itself" in (attack.inapplicable(told) or "")
    assert ShadowClassifier().inapplicable(told) is None


def test_what_shadow_models_answered_is_kept(tmp_path) -> None:
    data = zoo.split(60)
    trainer = Watched()
    ctx = Context(attack="membership/shadow-classifier", trainer=trainer, store=ShadowStore(tmp_path))
    first = ShadowClassifier().run(target_of(data), data, ctx.lend("membership/shadow-classifier"))
    trained = len(trainer.seen)
    assert ShadowClassifier().run(target_of(data), data, ctx.lend("membership/shadow-classifier")) == first
    assert len(trainer.seen) == trained == 4
