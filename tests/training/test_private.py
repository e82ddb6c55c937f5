"""DP-SGD: clipped sums are those of an example by itself, noise and draws are what was asked for."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.training import TorchTrainer
from keepmum.training.private import Mechanism, PrivateTrainer, Step
from keepmum.training.statement import of_sampled_sums

torch = pytest.importorskip("torch")
nn = torch.nn


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.norm = nn.LayerNorm(6)
        self.inner = nn.Linear(6, 7)
        self.last = nn.Linear(7, 3)

    def forward(self, tokens):
        return self.last(torch.tanh(self.inner(self.norm(self.table(tokens)))).mean(dim=1))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(5, 5)
        self.last = nn.Linear(5, 3)

    def forward(self, X):
        return self.last(torch.relu(self.one(torch.relu(self.one(X)))))


class Bare(nn.Module):
    """A parameter that belongs to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))
        self.last = nn.Linear(5, 3, bias=False)

    def forward(self, X):
        return self.last(X * self.scale)


class Positions(nn.Module):
    """A table of positions is given no records, and gives the same to all."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.places, self.last = nn.Embedding(11, 6), nn.Embedding(14, 6), nn.Linear(6, 3)

    def forward(self, tokens):
        return self.last(torch.tanh(self.table(tokens) + self.places(torch.arange(tokens.shape[1]))).mean(dim=1))


class Second(nn.Module):
    """Time comes first and records second, as recurrent layers like it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.last = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, X):
        return self.last(torch.tanh(self.inner(X.transpose(0, 1))).mean(dim=0))


def conv(groups: int = 1):
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, groups=groups),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(24, 3),
    )


CASES = {
    "dense": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)), (5,)),
    "without bias": (lambda: nn.Sequential(nn.Linear(5, 8, bias=False), nn.Tanh(), nn.Linear(8, 3, bias=False)), (5,)),
    "images": (conv, (2, 8, 8)),
    "grouped images": (lambda: conv(2), (2, 8, 8)),
    "tokens": (Tokens, (9,)),
    "layer used twice": (Tied, (5,)),
    "a parameter of no layer": (Bare, (5,)),
    "in place": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(inplace=True), nn.Linear(8, 3)), (5,)),
    "positions": (Positions, (14,)),
    "records second": (Second, (14, 5)),
    "one output": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)), (5,)),
}


def batch(name: str, count: int = 7):
    generator = torch.Generator().manual_seed(3)
    shape = CASES[name][1]
    if name in ("tokens", "positions"):
        X = torch.randint(0, 11, (count, *shape), generator=generator)
    else:
        X = torch.randn(count, *shape, generator=generator)
    return X, torch.randint(0, 2, (count,), generator=generator)


def one_by_one(module, X, y, clip):
    """The same by a loop over records with plain backward passes."""
    from keepmum.training._private_loop import losses

    total, norms = 0, []
    for row in range(len(X)):
        module.zero_grad()
        losses(module(X[row : row + 1]), y[row : row + 1]).sum().backward()
        flat = torch.cat([p.grad.reshape(-1) for p in module.parameters()])
        norms.append(float(flat.norm()))
        total = total + flat * min(1.0, clip / float(flat.norm()))
    return total, norms


@pytest.mark.parametrize("clip", [0.05, 1.0, 1e6])
@pytest.mark.parametrize("name", CASES)
def test_clipped_sums_are_those_of_one_record_at_a_time(name, clip):
    torch.manual_seed(0)
    module = CASES[name][0]()
    X, y = batch(name)
    mine = Mechanism().clipped_sum(module, X, y, clip)
    theirs, _ = one_by_one(module, X, y, clip)
    assert mine.shape == theirs.shape
    assert float((mine - theirs).norm() / theirs.norm()) < 1e-5


@pytest.mark.parametrize("name", CASES)
def test_no_record_counts_for_more_than_the_norm(name):
    torch.manual_seed(1)
    module = CASES[name][0]()
    X, y = batch(name)
    whole = Mechanism().clipped_sum(module, X, y, 0.1)
    for row in range(len(X)):
        keep = torch.arange(len(X)) != row
        assert float((whole - Mechanism().clipped_sum(module, X[keep], y[keep], 0.1)).norm()) <= 0.1 + 1e-6
    nobody = Mechanism().clipped_sum(module, X[:0], y[:0], 0.1)
    assert not nobody.any()
    assert nobody.dtype == torch.float32


@pytest.mark.parametrize("clip", [0.05, 1e6])
@pytest.mark.parametrize("name", CASES)
def test_a_record_with_several_views_counts_once_by_their_mean_loss(name, clip):
    from keepmum.training._private_loop import losses

    torch.manual_seed(0)
    module = CASES[name][0]()
    X, y = batch(name, 12)
    y = y[:4]
    mine = Mechanism().clipped_sum(module, X, y, clip)
    theirs = 0
    for row in range(4):
        module.zero_grad()
        losses(module(X[3 * row : 3 * row + 3]), y[row].repeat(3)).mean().backward()
        flat = torch.cat([p.grad.reshape(-1) for p in module.parameters()])
        theirs = theirs + flat * min(1.0, clip / float(flat.norm()))
    assert float((mine - theirs).norm() / theirs.norm()) < 1e-5


def test_book_keeping_is_used_where_it_can_be():
    from keepmum.training._private_gradients import _bookable
    from keepmum.training._private_loop import losses

    by_chunks = {
        "grouped images", "layer used twice", "a parameter of no layer", "in place", "positions", "records second",
    }  # fmt: skip
    for name in CASES:
        module, (X, y) = CASES[name][0](), batch(name)
        assert _bookable(module, X, y, losses) == (name not in by_chunks), name


def test_what_layers_at_zero_hide_is_no_book_keeping_either():
    from keepmum.training._private_gradients import _bookable
    from keepmum.training._private_loop import losses

    module, (X, y) = Second(), batch("records second")
    torch.nn.init.zeros_(module.last.weight)
    assert not _bookable(module, X, y, losses)


def build():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def people(count: int = 90) -> Records:
    rng = np.random.default_rng(0)
    y = np.arange(count) % 3
    return Records((rng.normal(size=(count, 4)) + 2 * np.eye(4)[y]).astype(np.float32), y)


def recipe(**changes) -> PrivateTrainer:
    inner = TorchTrainer(build, optimizer="sgd", lr=0.5, epochs=4)
    return PrivateTrainer(inner, **{"noise": 1.0, "batch": 30, **changes})


def watched(trainer: PrivateTrainer, seed: int = 0, records: Records | None = None) -> list[Step]:
    steps: list[Step] = []
    trainer.train_watched(people() if records is None else records, seed, steps.append)
    return steps


def test_steps_have_the_noise_and_the_normalizer_that_were_asked_for():
    steps = watched(recipe(clip=0.5))
    assert len(steps) == 12
    assert {step.normalizer for step in steps} == {30.0}
    noise = np.concatenate([(step.released - step.clipped).numpy() for step in steps])
    assert noise.std() == pytest.approx(0.5, rel=0.1)
    assert all(float(step.clipped.norm()) <= 0.5 * len(step.rows) + 1e-5 for step in steps)
    assert len({len(step.rows) for step in steps}) > 1


def test_records_are_drawn_independently():
    rng, mechanism = np.random.default_rng(0), Mechanism()
    drawn = np.zeros((2000, 40), dtype=bool)
    for row in drawn:
        row[mechanism.sample(40, 0.3, rng)] = True
    assert drawn.mean() == pytest.approx(0.3, abs=0.01)
    assert drawn.sum(axis=1).var() == pytest.approx(40 * 0.3 * 0.7, rel=0.15)
    assert abs(np.corrcoef(drawn.T)[np.triu_indices(40, 1)]).max() < 0.12


def test_the_same_seed_trains_the_same_model_and_secure_does_not():
    X = people()
    first, again, other = (recipe().train(X, seed).predict_proba(X) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(recipe(secure=True).train(X, 1).predict_proba(X), first)


def test_without_noise_and_clipping_it_learns():
    X = people()
    trainer = recipe(noise=0.0, clip=1e3)
    trainer = replace(trainer, inner=replace(trainer.inner, epochs=30))
    assert (trainer.train(X, 0).predict(X) == X.y).mean() > 0.9


def test_epsilon_is_kept_to():
    trainer = recipe(noise=None, epsilon=3.0)
    told = trainer.statement(90)
    assert 2.9 < told.epsilon <= 3.0
    assert told.noise == trainer.noise_for(90)
    assert told.epsilon_rdp >= told.epsilon
    assert told.steps == 12
    assert told.rate == pytest.approx(1 / 3)
    assert "epsilon 3 at delta 1e-05" in trainer.train(people(), 0).notes[-1]


def test_a_statement_says_when_it_is_none():
    weak = of_sampled_sums(0.2, 0.1, 1000, 1e-5, 1.0, False, None)
    assert not weak.is_guarantee
    assert weak.headline.startswith("No guarantee")
    bare = of_sampled_sums(0.0, 0.1, 10, 1e-5, 1.0, False, 3)
    assert bare.to_dict()["epsilon"] is None
    assert "3 other settings" in bare.to_markdown()
    good = of_sampled_sums(2.0, 0.05, 500, 1e-5, 1.0, True, 0)
    assert good.epsilon == pytest.approx(2.532, abs=0.02)
    assert "finds at most" in good.headline
    for part in ("unit of privacy", "adjacency", "sampling assumed", "sampling used", "accountant", "hyper-parameter"):
        assert part in good.to_markdown()


def test_fleets_are_trained_with_the_same_noise():
    X = people()
    masks = np.zeros((2, len(X)), dtype=bool)
    masks[0, ::2], masks[1, 1::2] = True, True
    trainer = recipe(noise=None, epsilon=5.0)
    models = list(trainer.train_fleet(X, masks, [5, 6]))
    alone = trainer.train(X.take(masks[1]), 6)
    assert np.array_equal(models[1].predict_proba(X), alone.predict_proba(X))


def test_the_key_tells_every_setting():
    keys = {recipe().key, recipe(noise=2.0).key, recipe(clip=2.0).key, recipe(batch=20).key, recipe(secure=True).key}
    keys |= {recipe(noise=None, epsilon=2.0).key, recipe(noise=None, epsilon=2.0, delta=1e-6).key}
    assert len(keys) == 7
    assert pickle.loads(pickle.dumps(recipe())).key == recipe().key


def test_what_comes_from_the_operating_system_is_normal_and_never_the_same():
    from scipy.stats import kstest

    from keepmum.training._private_random import normal, uniform

    assert kstest(uniform(5000), "uniform").pvalue > 1e-6
    assert kstest(normal(5001), "norm").pvalue > 1e-6
    assert normal(5001).shape == (5001,)
    assert not np.array_equal(normal(5), normal(5))
    steps = watched(recipe(secure=True, clip=0.5))
    noise = np.concatenate([(step.released - step.clipped).numpy() for step in steps])
    assert noise.std() == pytest.approx(0.5, rel=0.1)
    assert "operating system" in recipe(secure=True).statement(90).randomness


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"noise": None}, "either noise or epsilon, got neither"),
        ({"epsilon": 1.0}, "either noise or epsilon, got both"),
        ({"epsilon": 1.0, "noise": 0.0}, "either noise or epsilon, got both"),
        ({"noise": -1.0}, "noise of 0 or more"),
        ({"clip": 0.0}, "clip above 0"),
        ({"batch": 0}, "a batch of at least 1"),
        ({"delta": 1.0}, "a delta between 0 and 1"),
    ],
)
def test_bad_settings(changes, said):
    with pytest.raises(ConfigError, match=said):
        recipe(**changes)


def jittered(X, generator):
    return X + torch.randn(X.shape, generator=generator)


def halved(X, generator):
    return X[:, :2]


def changing(**changes) -> PrivateTrainer:
    inner = TorchTrainer(build, optimizer="sgd", lr=0.5, epochs=4, augment=jittered)
    return PrivateTrainer(inner, **({"noise": 1.0, "batch": 30, "views": 3} | changes))


def test_views_of_a_record_hang_on_nobody_else():
    from keepmum.training._private_loop import Views

    X, rows = torch.from_numpy(people().X[:6]), np.arange(6)
    views = Views(changing(), 7)
    whole, fewer, later = views.of(X, rows, 2), views.of(X[2:], rows[2:], 2), views.of(X, rows, 3)
    assert whole.shape == (18, 4)
    assert torch.equal(whole[6:], fewer)
    assert not torch.isclose(whole, later).any()
    assert len(whole.unique(dim=0)) == 18
    assert views.of(X[:0], rows[:0], 0).shape == (0, 4)
    assert Views(recipe(), 7).of(X, rows, 2) is X


def test_a_recipe_that_changes_its_records_is_trained_with_the_same_noise_and_sensitivity():
    from keepmum.audit_dp import check_mechanism

    steps = watched(changing(clip=0.5))
    assert all(float(step.clipped.norm()) <= 0.5 * len(step.rows) + 1e-5 for step in steps)
    checks = check_mechanism(changing(), people())
    assert [check.name for check in checks if not check.passed] == []
    assert changing().statement(90).epsilon == recipe().statement(90).epsilon
    keys = {changing().key, changing(views=1).key, changing(views=2).key, recipe().key}
    assert len(keys) == 4


def test_bad_views():
    with pytest.raises(ConfigError, match=r"1 view of each record, or more of a recipe with augment, got 2 without"):
        recipe(views=2)
    with pytest.raises(ConfigError, match=r"got 0 with"):
        changing(views=0)
    made = changing()
    with pytest.raises(ConfigError, match=r"augment to keep the shape \(4,\) of records, got \(2,\)"):
        replace(made, inner=replace(made.inner, augment=halved)).train(people(), 0)


def test_running_means_are_refused_since_no_noise_guards_them():
    def build():
        norm = nn.InstanceNorm1d(2, track_running_stats=True)
        return nn.Sequential(nn.Unflatten(1, (2, 2)), norm, nn.Flatten(), nn.Linear(4, 3))

    with pytest.raises(ConfigError, match=r"buffer '1\.running_mean' changes"):
        PrivateTrainer(TorchTrainer(build, epochs=1), noise=1.0, batch=30).train(people(), 0)


def test_batch_normalization_is_refused():
    inner = TorchTrainer(lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)), epochs=1)
    with pytest.raises(ConfigError, match="use GroupNorm or LayerNorm"):
        PrivateTrainer(inner, noise=1.0).train(people(), 0)
