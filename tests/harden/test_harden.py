"""Hardening: fleets behind defenses, paired with none; verdicts by rule; nothing is lost."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import keepmum
from keepmum.data import Records, Split
from keepmum.defenses import behind, parse
from keepmum.defenses.output import LabelOnly, Rounding
from keepmum.defenses.training import Depth, Distillation, DpLogisticRegression, DpSgd, LeafSize, Pate, Selena
from keepmum.errors import ConfigError, DataError
from keepmum.harden import Frontier, Row, Verdict
from keepmum.harden._answers import Said
from keepmum.harden._chosen import combinations, cost_of
from keepmum.harden._export import released
from keepmum.harden._measure import Lots, calibration_error, lira, measure, rates
from keepmum.harden._plot import beside, labels, runs
from keepmum.harden._verdict import by_area, changed, judge, sentence
from keepmum.harden._world import Duplicated, world_of
from keepmum.stats import Estimate
from keepmum.targets.coerce import as_target
from keepmum.training import SklearnTrainer, TorchTrainer


def split(count: int = 240, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, count)
    X = rng.normal(size=(count, 5)) + 1.2 * np.eye(5)[y]
    return Split(Records(X[::2], y[::2]), Records(X[1::2], y[1::2]))


TREE = DecisionTreeClassifier()
TREE_RECIPE = SklearnTrainer(TREE)


@pytest.fixture(scope="module")
def found() -> Frontier:
    return keepmum.harden(
        TREE, split(), defenses=[LeafSize(30), "output/rounding:decimals=1", Depth(2)], models=8, canaries=40, seed=1
    )


def test_a_memorizing_tree_leaks_and_large_leaves_work(found: Frontier) -> None:
    assert [row.name for row in found.rows] == [
        "none",
        "training/leaf-size:records=30",
        "output/rounding:decimals=1",
        "training/depth:levels=2",
        "output/label-only",
    ]
    none, leaf, rounded, _, labels = found.rows
    assert none.verdict is Verdict.UNDEFENDED
    assert none.metrics["train_accuracy"].value == 1
    assert none.metrics["canary_auc"].value > 0.9
    assert leaf.verdict in (Verdict.WORKS, Verdict.PARTLY)
    assert leaf.differences["canary_auc"].high < 0
    assert leaf.differences["population_auc"].high < 0
    assert leaf.leak < none.leak
    assert rounded.metrics["canary_auc"].value == pytest.approx(none.metrics["canary_auc"].value)
    assert rounded.verdict is not Verdict.WORKS
    assert labels.bits == pytest.approx(np.log2(3))
    assert labels.metrics["accuracy"] == none.metrics["accuracy"]
    assert "few" in found.notes[0]


def test_every_number_has_its_interval(found: Frontier) -> None:
    for row in found.rows:
        for estimate in row.metrics.values():
            assert estimate.low <= estimate.value <= estimate.high
        assert row.models == 8
    assert set(found.rows[1].differences) <= set(found.rows[1].metrics)


def test_frontier_and_knee(found: Frontier) -> None:
    for row in found.pareto:
        assert not any(o.accuracy > row.accuracy and o.leak < row.leak for o in found.measured)
    assert found.best in found.pareto
    assert found.row("none") is found.rows[0]
    with pytest.raises(ConfigError, match="expected one of none"):
        found.row("nothing")


def test_the_knee_is_no_combination_where_less_does_and_labels_do_not_hide_each_other() -> None:
    def row(name: str, leak: float, accuracy: float) -> Row:
        found = {
            "population_tpr_at_fpr_0.01": Estimate(leak, leak - 0.02, leak + 0.02),
            "accuracy": Estimate(accuracy, accuracy - 0.02, accuracy + 0.02),
        }
        return Row(name, Verdict.WORKS, metrics=found)

    rows = (row("none", 0.9, 0.8), row("a", 0.11, 0.79), row("a + b", 0.1, 0.79), row("b", 0.85, 0.8))
    several = Frontier(rows, 100, 10, 16, 0)
    assert several.best.name == "a"
    assert [numbers for numbers, _ in labels(several)] == [[0], [1, 2], [3]]
    apart = Frontier((rows[0], row("a", 0.2, 0.79), rows[2], rows[3]), 100, 10, 16, 0)
    assert apart.best.name == "a + b"


def test_many_numbers_at_one_point_are_told_briefly() -> None:
    assert runs([0, 6, 7, 8, 9, 11, 12]) == "0, 6–9, 11, 12"
    assert runs([3]) == "3"


def test_a_label_does_not_cover_the_next() -> None:
    from matplotlib.figure import Figure

    axes = Figure(figsize=(6.4, 4.4)).subplots()
    spots = [("0, 6–9, 11–13", (0.5, 0.5)), ("5", (0.55, 0.5)), ("10", (0.56, 0.5)), ("2", (0.1, 0.5))]
    heights = [height for _, _, height in beside(axes, spots)]
    assert heights[3] == heights[0] == 5
    assert len(set(heights[:3])) == 3


def test_the_page_can_be_read_in_the_dark(found: Frontier, tmp_path) -> None:
    """Axes and what stands at them take the page's colors, not black."""
    picture = found.save(tmp_path).read_text().split("<svg", 1)[1].split("</svg>", 1)[0]
    axis = picture.split("worst leak: share", 1)[0].rsplit("<text", 1)[1]
    assert "var(--ink)" in axis
    assert "#000000" not in picture


def test_what_is_written(found: Frontier, tmp_path) -> None:
    page = found.save(tmp_path)
    text = page.read_text()
    assert "Which defense works" in text
    assert "<svg" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert all(f"<dt>{verdict}</dt>" in text for verdict in Verdict if verdict is not Verdict.UNDEFENDED)
    told = json.loads((tmp_path / "harden.json").read_text())
    assert told["schema"] == 1
    assert {row["verdict"] for row in told["rows"]} <= {str(v) for v in Verdict}
    assert "| defense |" in (tmp_path / "harden.md").read_text()
    assert len(found.frame()) == len(found.rows)
    assert "<table>" in found._repr_html_()
    assert found.plot() is not None


def test_the_same_call_goes_on_where_it_stopped(tmp_path) -> None:
    calls = []

    class Stop(KeyboardInterrupt):
        pass

    def stop(done: int, total: int, what: str) -> None:
        if done >= 8:
            raise Stop

    how = {"defenses": [LeafSize(30)], "models": 6, "canaries": 30, "out": tmp_path}
    with pytest.raises(Stop):
        keepmum.harden(TREE, split(), **how, progress=stop)
    kept = len(list((tmp_path / "restricted").rglob("*.npy")))
    assert kept >= 3
    keepmum.harden(TREE, split(), **how, progress=lambda *told: calls.append(told))
    first = (tmp_path / "harden.json").read_bytes()
    keepmum.harden(TREE, split(), **how)
    assert (tmp_path / "harden.json").read_bytes() == first
    whole = keepmum.harden(TREE, split(), **{**how, "out": None})
    assert json.loads(first)["rows"] == whole.to_dict()["rows"]


def test_a_budget_leaves_out_what_does_not_fit_and_nothing_that_is_there() -> None:
    """Labels alone were asked of the models of the first row."""
    found = keepmum.harden(TREE, split(), defenses=[LeafSize(30)], models=6, canaries=30, seconds=1e-6)
    assert [bool(row.metrics) for row in found.rows] == [True, False, True]
    assert found.rows[1].verdict is Verdict.NOT_RUN
    assert "do not fit into what is left of the budget" in found.rows[1].reason
    assert "about 0 s" not in found.rows[1].reason


def test_a_defense_that_does_not_suit_is_said(tmp_path) -> None:
    found = keepmum.harden(TREE, split(), defenses=["training/dropout"], models=6, canaries=30)
    assert found.row("training/dropout").verdict is Verdict.NOT_RUN
    assert "torch" in found.row("training/dropout").reason
    with pytest.raises(ConfigError, match="was not run"):
        found.row("training/dropout").export(tmp_path / "x", split().pool)


def test_export(found: Frontier, tmp_path) -> None:
    path = found.rows[1].export(tmp_path / "model")
    assert json.loads((tmp_path / "model" / "defense.json").read_text())["records"] == len(split().members)
    assert path.name == "model.skops"
    assert json.loads((tmp_path / "model" / "defense.json").read_text())["defense"] == found.rows[1].name
    with pytest.raises(ConfigError, match="is not empty"):
        found.rows[1].export(tmp_path / "model", split().pool)


def test_an_exported_model_is_audited_as_it_is_served(tmp_path) -> None:
    both = "training/leaf-size:records=30 + output/rounding:decimals=1"
    found = keepmum.harden(TREE, split(), defenses=[both], models=6, canaries=30)
    path = found.row(both).export(tmp_path / "model")
    told = json.loads((tmp_path / "model" / "defense.json").read_text())
    assert told["behind"] == "output/rounding:decimals=1"
    assert told["seed"] == 0
    (defense,) = behind(told["behind"])
    model = as_target(path, split().members.y)
    assert model.internals.min_samples_leaf == 30
    assert np.unique(defense.protect(model).predict_proba(split().members) * 10 % 1).size <= 2


def test_exported_private_models_owe_nothing_to_a_seed(tmp_path) -> None:
    pytest.importorskip("dp_accounting")
    from sklearn.linear_model import LogisticRegression

    private = DpLogisticRegression(epsilon=5.0)
    found = keepmum.harden(LogisticRegression(), split(), defenses=[private, "training/l2"], models=6, canaries=30)
    row = found.row(private.name)
    paths = [row.export(tmp_path / str(turn), seed=1) for turn in (0, 1)]
    first, again = (as_target(path, split().members.y).predict_proba(split().pool) for path in paths)
    assert not np.array_equal(first, again)
    told = json.loads((tmp_path / "0" / "defense.json").read_text())
    assert told["seed"] is None
    assert 4.5 < told["statement"]["epsilon"] <= 5
    statement = (tmp_path / "0" / "statement.md").read_text()
    assert "operating system" in statement
    assert "3 other settings were trained on the same records" in statement  # none, l2 and label-only


def test_what_is_released_is_drawn_from_the_operating_system_however_deep_it_stands() -> None:
    pytest.importorskip("torch")
    from torch import nn

    inner = TorchTrainer(lambda: nn.Linear(5, 3))
    plain = DpSgd(noise=1.0, batch=60).protect(inner)
    deep = Distillation().protect(plain)
    assert not plain.secure
    assert released(plain, 3).secure
    assert released(plain, 3).tried == 3
    assert released(deep).inner.secure
    voted = Pate(noise=2.0).protect(TREE_RECIPE)
    same, again, other, more = (
        each.train(split().members, 1) for each in (voted, voted, released(voted), released(voted))
    )
    rows = [each.predict_proba(split().pool) for each in (same, again, other, more)]
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[2], rows[3]), "noise that a seed tells hides nothing"
    assert released(inner) is not None
    assert released(inner).key == inner.key


def test_an_exported_student_says_what_its_votes_cost(tmp_path) -> None:
    pytest.importorskip("dp_accounting")
    few = split().nonmembers.take(np.arange(40))
    taught = Pate(teachers=4, noise=40.0, public=few)
    row = keepmum.harden(TREE, split(), defenses=[taught], models=6, canaries=30).rows[1]
    row.export(tmp_path / "m")
    told = json.loads((tmp_path / "m" / "defense.json").read_text())["statement"]
    assert told["epsilon"] == pytest.approx(taught.epsilon(40), rel=1e-6)
    assert told["adjacency"] == "one record is replaced by another"
    assert "operating system" in told["randomness"]
    assert Pate().protect(TREE_RECIPE).statement() is None


def test_a_budget_knows_what_a_defense_costs() -> None:
    assert cost_of((Selena(9, 2),)) == 8
    assert cost_of((Selena(9, 2), LeafSize(), Rounding(1))) == 8
    assert cost_of((LeafSize(),)) == cost_of(()) == 1


def test_a_defense_that_fails_does_not_take_the_others_along() -> None:
    class Broken(LeafSize):
        def protect(self, trainer):
            raise ValueError("no")

    found = keepmum.harden(TREE, split(), defenses=[Broken(), LeafSize(30)], models=6, canaries=30)
    assert found.rows[1].reason == "ValueError: no"
    assert found.rows[2].metrics


@pytest.mark.parametrize("defense", ["output/keyed-noise", "output/noise", "output/hamp-swap"])
def test_what_is_drawn_is_drawn_from_the_seed(defense) -> None:
    first, again = (
        keepmum.harden(TREE, split(), defenses=[defense], models=6, canaries=30, seed=4).to_dict() for _ in range(2)
    )
    assert first["rows"] == again["rows"]
    (one,), (other,) = (combinations(["output/keyed-noise"], SklearnTrainer(TREE), seed)[0] for seed in (1, 2))
    assert one.key != other.key


def test_canaries_have_wrong_labels_and_stand_apart() -> None:
    world = world_of(split(), 40, 3)
    assert (world.people, len(world.canaries)) == (200, 40)
    where = {tuple(row): label for row, label in zip(split().pool.X.tolist(), split().pool.y.tolist(), strict=True)}
    for row, (x, y) in enumerate(zip(world.records.X.tolist(), world.records.y.tolist(), strict=True)):
        assert (where[tuple(x)] == y) == (row < 200)


def test_canaries_stand_twice_where_that_shows_more() -> None:
    world = world_of(split(), 40, 3)
    sizes = []

    class Counting(SklearnTrainer):
        def train(self, records, seed):
            sizes.append(len(records))
            return super().train(records, seed)

    trainer = Duplicated(Counting(TREE), world.canaries[20:])
    mask = np.zeros((2, 240), dtype=bool)
    mask[0, :230], mask[1, 230:] = True, True
    list(trainer.train_fleet(world.records, mask, [1, 2]))
    assert sizes == [240, 20]
    assert trainer.key != SklearnTrainer(TREE).key
    found = keepmum.harden(TREE, split(), defenses=[Selena(4, 2)], models=6, canaries=80)
    assert {"twice_auc", "twice_label_only_auc"} <= set(found.rows[1].metrics)


def test_scores_of_a_target_do_not_see_its_partner() -> None:
    rng = np.random.default_rng(0)
    inside = np.repeat(rng.random((4, 50)) < 0.5, 2, axis=0)
    inside[1::2] = ~inside[::2]
    signal = inside + rng.normal(size=(8, 50))
    whole = lira(signal, inside)
    moved = signal.copy()
    moved[1] += 100
    assert np.array_equal(lira(moved, inside)[0], whole[0])
    assert not np.array_equal(lira(moved, inside)[2], whole[2])


def test_rates_are_those_of_a_plain_count() -> None:
    rng = np.random.default_rng(1)
    scores, inside = rng.integers(0, 12, 300).astype(float), rng.random(300) < 0.5
    found = rates(scores, inside, np.ones((1, 300)))
    from sklearn.metrics import roc_auc_score

    assert found["auc"][0] == pytest.approx(roc_auc_score(inside, scores))
    for fpr in (0.01, 0.1):
        best = max(
            [0.0] + [(scores[inside] >= t).mean() for t in np.unique(scores) if (scores[~inside] >= t).mean() <= fpr]
        )
        assert found[f"tpr_at_fpr_{fpr:g}"][0] == pytest.approx(best)
    twice = rates(np.repeat(scores, 2), np.repeat(inside, 2), np.ones((1, 600)))
    weighted = rates(scores, inside, np.full((1, 300), 2.0))
    assert twice["auc"] == pytest.approx(weighted["auc"])


def test_calibration_error() -> None:
    assert calibration_error(np.array([0.9] * 10), np.array([True] * 9 + [False])) == pytest.approx(0)
    assert calibration_error(np.ones(4), np.array([True, False, False, False])) == pytest.approx(0.75)


def fleet(seed: int, models: int = 8, people: int = 200, canaries: int = 60, pull: float = 1.0) -> Said:
    rng = np.random.default_rng(seed)
    n = people + canaries
    coins = np.random.default_rng(99).random((models // 2, n)) < 0.5
    inside = np.empty((models, n), dtype=bool)
    inside[::2], inside[1::2] = coins, ~coins
    margin = pull * inside + rng.normal(size=(models, n))
    right = rng.random((models, n)) < 0.8
    return Said(inside, margin, margin.copy(), right, np.full((models, n), 0.8))


GROUPS = {"population": np.arange(200), "canary": np.arange(200, 260)}


def test_two_fleets_of_one_recipe_are_seldom_called_different() -> None:
    """Of rates by rule: each verdict looks at four leaks, at 95 % each."""
    wrong, runs = 0, 60
    for seed in range(runs):
        lots = Lots.of(8, 200, 60, seed)
        one, other = (measure(fleet(2 * seed + k), GROUPS, lots) for k in (0, 1))
        before = {name: each.estimate() for name, each in one.items()}
        gaps = {name: other[name].beyond(one[name]) for name in one}
        wrong += judge(before, gaps)[0] is not Verdict.NOTHING
    assert wrong / runs <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)


def test_a_fleet_that_leaks_less_is_seen() -> None:
    lots = Lots.of(8, 200, 60, 0)
    one, other = measure(fleet(1, pull=3.0), GROUPS, lots), measure(fleet(2, pull=0.5), GROUPS, lots)
    assert other["population_auc"].beyond(one["population_auc"]).high < 0
    assert one["population_tpr_at_fpr_0.01"].value > other["population_tpr_at_fpr_0.01"].value
    assert "population_tpr_at_fpr_0.001" not in one, "100 strangers resolve no rate of a thousandth"


def estimate(value: float, half: float = 0.01) -> Estimate:
    return Estimate(value, value - half, value + half)


def verdict_of(gaps: dict[str, float], before: float = 0.5) -> Verdict:
    names = [
        f"{leak}_tpr_at_fpr_0.01" for leak in ("population", "canary", "population_label_only", "canary_label_only")
    ]
    plain = {name: estimate(before) for name in names}
    return judge(plain, {name: estimate(gap) for name, gap in zip(names, gaps.values(), strict=True)})[0]


@pytest.mark.parametrize(
    ("gaps", "wanted"),
    [
        ((-0.2, -0.2, -0.2, -0.2), Verdict.WORKS),
        ((-0.2, 0.0, -0.2, -0.2), Verdict.MASKING),
        ((-0.2, -0.2, 0.2, -0.2), Verdict.BACKFIRED),
        ((0.0, -0.2, -0.2, -0.2), Verdict.PARTLY),
        ((0.0, -0.2, 0.0, 0.0), Verdict.MASKING),
        ((0.0, 0.0, 0.0, -0.2), Verdict.PARTLY),
        ((-0.04, -0.04, -0.04, -0.04), Verdict.NOTHING),
        ((0.0, 0.0, 0.0, 0.0), Verdict.NOTHING),
    ],
)
def test_verdicts(gaps, wanted) -> None:
    assert verdict_of(dict(enumerate(gaps))) is wanted


def test_a_leak_whose_change_is_uncertain_does_not_stay() -> None:
    """Few models: people by labels fell from 5 % to 3 % in this sample, and may have fallen to nothing."""
    names = [f"{leak}_tpr_at_fpr_0.01" for leak in ("population", "canary", "population_label_only")]
    before = dict(zip(names, (estimate(0.2), estimate(0.9), estimate(0.05)), strict=True))
    gaps = dict(zip(names, (estimate(-0.15), estimate(-0.6), Estimate(-0.02, -0.04, 0.005)), strict=True))
    verdict, ways = judge(before, gaps)
    assert verdict is Verdict.PARTLY
    assert ways[names[2]] is None
    told = sentence(verdict, ways, {}, estimate(0.0))
    assert "of people (scores) and of canaries (scores); that of people (labels) is not lower for certain" in told
    gaps[names[2]] = Estimate(-0.002, -0.01, 0.005)
    verdict, ways = judge(before, gaps)
    assert verdict is Verdict.MASKING
    assert ways[names[2]] == 0
    assert "and not of people (labels)" in sentence(verdict, ways, {}, estimate(0.0))


def test_a_change_must_be_sure_and_count() -> None:
    assert changed("a_0.01", estimate(0.5), Estimate(-0.2, -0.4, 0.01)) == 0
    assert changed("a_0.01", estimate(0.5), Estimate(0.2, 0.01, 0.4)) == 1
    assert changed("a_auc", estimate(0.6), estimate(-0.02, 0.001)) == -1
    assert changed("a_0.01", estimate(0.02), Estimate(-0.005, -0.006, -0.004)) == 0
    assert verdict_of(dict.fromkeys(range(4), 0.0), before=0.005) is Verdict.UNDECIDED
    assert "+2.0 points" in sentence(Verdict.NOTHING, {}, {}, estimate(0.02))
    told = sentence(Verdict.WORKS, {}, {"twice_tpr_at_fpr_0.05": estimate(0.4)}, estimate(0.0))
    assert "canaries that stand twice, 40 % are found" in told


def test_a_verdict_names_the_leaks_that_it_speaks_of_and_what_it_looks_at() -> None:
    """Equal scores hide the rate; labels show no leak at all, so none of them can have fallen."""
    plain = {
        "population_tpr_at_fpr_0.01": estimate(0.0),
        "population_auc": estimate(0.9),
        "canary_tpr_at_fpr_0.01": estimate(0.5),
        "canary_label_only_tpr_at_fpr_0.01": estimate(0.01),
    }
    gaps = {name: estimate(0.0 if "label" in name else -0.2) for name in plain}
    verdict, ways = judge(plain, gaps)
    assert verdict is Verdict.WORKS
    told = sentence(verdict, ways, {}, estimate(0.0))
    assert "fell: of people (scores, AUC) and of canaries (scores). " in told
    assert "No leak of canaries (labels) was seen in the first place." in told
    assert by_area(plain) == "of people (scores, AUC 0.90)"
    assert by_area({"population_tpr_at_fpr_0.01": estimate(0.5)}) == ""


def test_a_note_tells_where_rates_say_nothing(found: Frontier) -> None:
    """The tree gives everyone probabilities of 0 or 1."""
    areas = by_area(found.rows[0].metrics)
    assert areas
    assert any(areas in note and "judged by that" in note for note in found.notes)


def test_a_row_is_found_by_what_was_asked_for() -> None:
    """Six levels are the default, so the row's name tells none."""
    several = Frontier((Row("training/depth + output/rounding:decimals=1", Verdict.WORKS),), 10, 10, 6, 0)
    assert several.row("training/depth:levels=6 + output/rounding:decimals=1") is several.rows[0]
    with pytest.raises(ConfigError, match="expected one of"):
        several.row("training/depth:levels=5")


def test_combinations() -> None:
    made = combinations(["training/depth:levels=3 + output/rounding:decimals=1", LeafSize()], SklearnTrainer(TREE))
    assert made == [(Depth(3), Rounding(1)), (LeafSize(),), (LabelOnly(),)]
    assert (LabelOnly(),) in combinations(None, SklearnTrainer(RandomForestClassifier()))
    assert {type(d).__name__ for c in combinations(None, SklearnTrainer(TREE)) for d in c} >= {
        "LeafSize",
        "Depth",
        "Rounding",
    }
    with pytest.raises(ConfigError, match="expected defenses"):
        combinations([3], SklearnTrainer(TREE))
    assert parse("training/selena")[0] == Selena()


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"models": 7}, ConfigError, "an even number of models"),
        ({"models": 4}, ConfigError, "at least 6"),
        ({"models": 8.0}, ConfigError, "an even number of models"),
        ({"seed": -1}, ConfigError, "a whole number from 0 up"),
        ({"seconds": 0}, ConfigError, "expected seconds above 0"),
        ({"canaries": 30.5}, DataError, "expected 2 …"),
        ({"defenses": 3}, ConfigError, "expected a list of defenses"),
        ({"split": ("members", "nonmembers")}, ConfigError, "expected a keepmum.Split"),
        ({"canaries": 1}, DataError, "expected 2 …"),
        ({"defenses": ["output/roundign"]}, ConfigError, "did you mean 'output/rounding'"),
        ({"attacks": ["inversion/gradeint"]}, ConfigError, "no attack"),
        ({"attacks": ["membership/loss"]}, ConfigError, "expected inversion attacks"),
    ],
)
def test_bad_input(changes, kind, said) -> None:
    with pytest.raises(kind, match=said):
        keepmum.harden(TREE, **{"split": split(), **changes})


def test_one_class_is_refused() -> None:
    X = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(DataError, match="two classes"):
        keepmum.harden(TREE, Split(Records(X[:20], np.zeros(20)), Records(X[20:], np.zeros(20))))


def test_too_few_people_are_refused_before_anything_is_trained() -> None:
    """Of 21 records three become canaries; half of the other 18 resolve not even one false alarm in ten."""
    with pytest.raises(DataError, match="at least 20 people beside the canaries, got 18 beside 3: give more"):
        keepmum.harden(TREE, split(21), models=6)
    found = keepmum.harden(TREE, split(24), defenses=[LeafSize(5)], models=6, seed=1)
    assert not np.isnan(found.rows[0].leak)


def test_rows_tell_nothing_without_numbers() -> None:
    assert np.isnan(Row("x", Verdict.NOT_RUN).accuracy)


def test_rows_that_differ_in_their_answers_share_models_and_say_what_they_say_alone(monkeypatch) -> None:
    from keepmum.shadows import _unit

    trained = []
    whole = _unit.train_fleet

    def counted(trainer, records, fleet, signal):
        trained.append(2 * len(fleet))
        return whole(trainer, records, fleet, signal)

    monkeypatch.setattr(_unit, "train_fleet", counted)
    reached = []
    how = {"models": 6, "canaries": 30, "seed": 3}
    rows = ["output/rounding:decimals=1", "output/hamp-swap", "training/leaf-size:records=9", "output/top-k"]
    both = "training/leaf-size:records=9 + output/rounding:decimals=1"
    found = keepmum.harden(
        TREE, split(), defenses=[*rows, both], **how, progress=lambda done, total, what: reached.append((done, total))
    )
    assert sum(trained) == 12
    assert reached == sorted(reached)
    assert reached[-1] == (12, 12)
    for row in rows:
        alone = keepmum.harden(TREE, split(), defenses=[row], **how).row(row)
        assert found.row(row).metrics == alone.metrics
    assert found.row(both).verdict is not Verdict.NOT_RUN
    assert found.row("output/hamp-swap").cost == pytest.approx(1)
    trained.clear()
    keepmum.harden(TREE, split(), defenses=["output/noise", "output/temperature"], **how)
    assert sum(trained) == 12, "noise is drawn from each model's seed: it wants models of its own"


def test_temperature_hides_nothing_from_whoever_knows_it() -> None:
    """Forests answer with zeros, which a temperature leaves where they are while all else moves."""
    names = ["output/temperature", "output/temperature + output/rounding:decimals=6"]
    forest = RandomForestClassifier(12, random_state=0)
    found = keepmum.harden(forest, split(), defenses=names, models=8, canaries=40)
    plain = found.row("none")
    for name in names:
        row = found.row(name)
        assert row.verdict is Verdict.NOTHING
        assert row.metrics["population_auc"].value == pytest.approx(plain.metrics["population_auc"].value, abs=0.01)
        assert row.metrics["calibration_error"].value > plain.metrics["calibration_error"].value


def test_a_row_that_fails_takes_no_other_with_it() -> None:
    class Odd(Rounding):
        def answer(self, scores):
            raise ZeroDivisionError("odd")

    found = keepmum.harden(TREE, split(), defenses=[Odd(3), Rounding(1)], models=6, canaries=30)
    assert [row.verdict is Verdict.NOT_RUN for row in found.rows] == [False, True, False, False]
    assert found.rows[1].reason == "ZeroDivisionError: odd"


def test_inversion_is_played_once_on_what_each_model_shows(tmp_path, monkeypatch) -> None:
    from keepmum.attacks.inversion.class_profile import ClassProfile

    played = []
    run = ClassProfile.run

    def counted(self, target, split, ctx):
        played.append(target.access)
        if len(played) == 3:
            raise ZeroDivisionError("odd")
        return run(self, target, split, ctx)

    monkeypatch.setattr(ClassProfile, "run", counted)
    how = {"models": 6, "canaries": 30, "out": tmp_path}
    how |= {"attacks": ["inversion/class-profile", "inversion/cmaes"], "defenses": [Rounding(1), LeafSize(20)]}
    found = keepmum.harden(TREE, split(), **how)
    none, rounded, leaf, labels = (row.inversion["inversion/class-profile"] for row in found.rows)
    assert none.metric == rounded.metric == "resemblance"
    assert -1 <= none.success.low <= none.success.value <= none.success.high <= 1
    assert "correlation" in none.said
    assert leaf.said == "was not played: ZeroDivisionError: odd"
    assert labels.reason == "needs scores access, the target offers label-only"
    assert found.rows[0].inversion["inversion/cmaes"].reason.startswith("needs images")
    assert played == ["scores"] * 3
    again = keepmum.harden(TREE, split(), **how)
    assert len(played) == 3
    assert again.to_json() == found.to_json()
    told = json.loads(found.to_json())["rows"]
    assert told[0]["inversion"]["inversion/class-profile"]["metric"] == "resemblance"
    assert told[2]["inversion"]["inversion/class-profile"] == {"reason": "ZeroDivisionError: odd"}
    assert "needs images" in found.to_markdown()
    assert "was not played: ZeroDivisionError: odd" in (tmp_path / "harden.html").read_text()


def test_a_picture_is_drawn_from_a_model_that_shows_its_scores() -> None:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    bunch = load_digits(n_class=4)
    X, y = (bunch.images / 16).astype(np.float32)[:320], bunch.target[:320]
    pictures = Split(Records(X[::2], y[::2]), Records(X[1::2], y[1::2]))

    class Flat(LogisticRegression):
        def fit(self, X, y):
            return super().fit(np.asarray(X).reshape(len(X), -1), y)

        def predict_proba(self, X):
            return super().predict_proba(np.asarray(X).reshape(len(X), -1))

    found = keepmum.harden(
        Flat(C=0.1), pictures, defenses=[Rounding(2)], models=6, canaries=30, attacks=["inversion/cmaes"]
    )
    none, rounded, labels = (row.inversion["inversion/cmaes"] for row in found.rows)
    assert none.metric == "identified"
    assert none.success.value >= 0.75
    assert rounded.success is not None
    assert labels.success is None
