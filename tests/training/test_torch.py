"""Torch recipes: the seed decides the model, everything else is in the key, and the loop is torch's own."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import keepmum
from keepmum.data import Records
from keepmum.errors import ConfigError, TargetError
from keepmum.targets import TorchTarget
from keepmum.training import TorchTrainer, _torch_loop
from keepmum.training._torch_data import Seeds, built, draw_from

torch = pytest.importorskip("torch")
nn = torch.nn
RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(97, 6))
DATA = Records(POINTS, POINTS[:, :3].argmax(axis=1))
IMAGES = Records(RNG.normal(size=(33, 1, 8, 8)), RNG.integers(2, size=33))


def mlp(hidden: int = 16, outputs: int = 3, drop: float = 0.0) -> Any:
    return nn.Sequential(nn.Linear(6, hidden), nn.ReLU(), nn.Dropout(drop), nn.Linear(hidden, outputs))


def cnn() -> Any:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


class Skip(nn.Module):
    """A net that nobody knows: the answer of a layer is added to what it was given."""

    factor = 1.0

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.first, self.last, self.scale = nn.Linear(6, 6), nn.Linear(6, 3), scale

    def forward(self, x: Any) -> Any:
        return self.last(x + self.scale * self.factor * torch.tanh(self.first(x)))


def recipe(build: Any = mlp, **kwargs: Any) -> TorchTrainer:
    return TorchTrainer(build, **{"epochs": 3, "batch_size": 16, "lr": 0.01, "device": "cpu", **kwargs})


def weights(target: Any) -> Any:
    return np.concatenate([value.detach().double().numpy().ravel() for value in target.internals.parameters()])


@pytest.mark.parametrize(("build", "data"), [(functools.partial(mlp, drop=0.3), DATA), (Skip, DATA), (cnn, IMAGES)])
def test_the_seed_decides_the_model(build: Any, data: Records) -> None:
    first, again, other = (recipe(build).train(data, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(weights(first), weights(again))
    assert (weights(first) != weights(other)).any()


def test_random_numbers_and_threads_of_torch_are_left_alone() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    try:
        for model in recipe(functools.partial(mlp, drop=0.5)).train_fleet(DATA, np.ones((2, 97), bool), [1, 2]):
            assert torch.get_num_threads() == 2
            assert model.queries == 0
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(state, torch.get_rng_state())


def twin(trainer: TorchTrainer, optimizer: Any, seed: int, schedule: Any = None) -> Any:
    """The recipe as its user would write it."""
    seeds = Seeds.of(seed)
    module = built(trainer.build, seeds.weights).train()
    X, y = torch.tensor(DATA.X, dtype=torch.float64), torch.tensor(DATA.y)
    steps, order = optimizer(module.parameters()), np.random.default_rng(seeds.order)
    rates = schedule(steps) if schedule else None
    with torch.random.fork_rng():
        draw_from(seeds.noise, X.device)
        for _ in range(trainer.epochs):
            shuffled = order.permutation(len(X))
            for start in range(0, len(X), trainer.batch_size):
                pick = shuffled[start : start + trainer.batch_size]
                steps.zero_grad()
                nn.functional.cross_entropy(module(X[pick]), y[pick]).backward()
                steps.step()
            if rates:
                rates.step()
    return np.concatenate([value.detach().numpy().ravel() for value in module.parameters()])


def cosine(steps: Any) -> Any:
    return torch.optim.lr_scheduler.CosineAnnealingLR(steps, 3)


def linear(steps: Any) -> Any:
    return torch.optim.lr_scheduler.LinearLR(steps, 1.0, 0.0, 3)


OPTIM = torch.optim
TWINS = [
    ({"optimizer": "sgd", "momentum": 0.9}, lambda p: OPTIM.SGD(p, 0.01, momentum=0.9), None),
    ({"optimizer": "sgd", "weight_decay": 0.1}, lambda p: OPTIM.SGD(p, 0.01, weight_decay=0.1), None),
    ({"optimizer": "adam", "weight_decay": 0.1}, lambda p: OPTIM.Adam(p, 0.01, weight_decay=0.1), None),
    ({"optimizer": "adamw", "weight_decay": 0.1}, lambda p: OPTIM.AdamW(p, 0.01, weight_decay=0.1), None),
    ({"optimizer": "sgd", "schedule": "cosine"}, lambda p: OPTIM.SGD(p, 0.01), cosine),
    ({"optimizer": "adam", "schedule": "linear"}, lambda p: OPTIM.Adam(p, 0.01), linear),
]


@pytest.mark.parametrize(("settings", "optimizer", "schedule"), TWINS)
@pytest.mark.parametrize("build", [lambda: mlp(drop=0.4).double(), lambda: Skip().double()])
def test_training_is_the_loop_that_a_user_would_write(build: Any, settings: Any, optimizer: Any, schedule: Any) -> None:
    trainer = recipe(build, **settings)
    np.testing.assert_allclose(weights(trainer.train(DATA, 7)), twin(trainer, optimizer, 7, schedule), atol=1e-9)


@pytest.mark.parametrize("build", [mlp, functools.partial(mlp, drop=0.4), Skip])
def test_a_model_of_a_fleet_is_the_model_trained_alone(build: Any) -> None:
    masks = np.random.default_rng(0).random((3, len(DATA))) < 0.5
    fleet = [weights(model) for model in recipe(build).train_fleet(DATA, masks, [4, 5, 6])]
    for row, seed, together in zip(masks, (4, 5, 6), fleet, strict=True):
        np.testing.assert_array_equal(weights(recipe(build).train(DATA.take(row), seed)), together)


WIDTH = 16


def widened() -> Any:
    return mlp(WIDTH)


def test_what_is_built_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe(widened).key
    assert recipe(widened).key == before
    monkeypatch.setitem(globals(), "WIDTH", 17)
    assert recipe(widened).key != before


def pretrained(value: float) -> Any:
    module = mlp()
    nn.init.constant_(module[0].weight, value)
    return module


def frozen() -> Any:
    module = mlp()
    module[0].requires_grad_(False)
    return module


@pytest.mark.parametrize(
    "other",
    [
        functools.partial(mlp, drop=0.1),
        functools.partial(mlp, hidden=8),
        functools.partial(pretrained, 1.0),
        functools.partial(pretrained, 2.0),
        frozen,
        Skip,
        functools.partial(Skip, 2.0),
        lambda: nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.0), nn.Linear(16, 3)),
    ],
)
def test_another_module_has_another_key(other: Any) -> None:
    assert recipe(other).key != recipe().key
    assert recipe(functools.partial(Skip, 3.0)).key != recipe(other).key
    assert recipe(functools.partial(pretrained, 3.0)).key != recipe(other).key


def test_code_of_a_module_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe(Skip).key
    monkeypatch.setattr(Skip, "forward", lambda self, x: self.last(torch.relu(self.first(x))))
    assert recipe(Skip).key != before
    monkeypatch.undo()
    assert recipe(Skip).key == before
    monkeypatch.setattr(Skip, "factor", 2.0)
    assert recipe(Skip).key != before


def brighter(batch: Any, generator: Any) -> Any:
    return batch + torch.rand(len(batch), 1, generator=generator)


def squared(logits: Any, y: Any) -> Any:
    return ((torch.softmax(logits, 1) - nn.functional.one_hot(y, 3)) ** 2).mean()


def weighted(factor: float) -> Any:
    weight = torch.tensor([factor, 1.0, 1.0])
    return lambda logits, y: nn.functional.cross_entropy(logits, y, weight)


class Brighten:
    """A change of one's own that is an object."""

    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, batch: Any, generator: Any = None) -> Any:
        return batch + self.by


USED: Any = None


def using(batch: Any, generator: Any) -> Any:
    return USED(batch) if callable(USED) else batch * USED[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.ones(2), np.zeros(2)),
        (torch.ones(2), torch.zeros(2)),
        ([1.0], [2.0]),
        ({0: 1.0}, {0: 2.0}),
        (Brighten(1.0), Brighten(2.0)),
        (functools.partial(Brighten(0.0), generator=1), functools.partial(Brighten(0.0), generator=2)),
        (nn.Linear(2, 2), nn.Linear(2, 2)),
    ],
)
def test_globals_that_a_change_uses_are_in_the_key(one: Any, other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = []
    for value in (one, other, one):
        monkeypatch.setitem(globals(), "USED", value)
        keys.append(recipe(augment=using).key)
    assert keys[0] == keys[2] != keys[1]


def test_code_of_an_object_that_changes_records_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe(augment=Brighten(1.0)).key
    monkeypatch.setattr(Brighten, "__call__", lambda self, batch, generator=None: batch - self.by)
    assert recipe(augment=Brighten(1.0)).key != before


def test_settings_and_weights_of_a_loss_are_in_the_key() -> None:
    kinds: list[dict[str, Any]] = [
        {},
        {"label_smoothing": 0.1},
        {"reduction": "sum"},
        {"weight": torch.tensor([1.0, 2.0, 3.0])},
        {"weight": torch.tensor([3.0, 2.0, 1.0])},
    ]
    assert len({recipe(loss=nn.CrossEntropyLoss(**kind)).key for kind in kinds}) == len(kinds)


class Private(Skip):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self._scale = scale


def hooked(factor: float) -> Any:
    module = mlp()
    module[0].register_forward_hook(lambda part, given, answer: answer * factor)
    return module


@pytest.mark.parametrize("build", [Private, hooked])
def test_private_attributes_and_hooks_are_in_the_key(build: Any) -> None:
    one, other, again = (recipe(functools.partial(build, value)).key for value in (1.0, 2.0, 1.0))
    assert one == again != other


def test_a_function_that_names_itself_has_a_key() -> None:
    def often(times: int) -> Any:
        def again(batch: Any, generator: Any, left: int = times) -> Any:
            return again(batch + 1, generator, left - 1) if left else batch

        return again

    assert recipe(augment=often(1)).key == recipe(augment=often(1)).key != recipe(augment=often(2)).key


@pytest.mark.parametrize("shared", [lambda module: module, lambda module: nn.Sequential(module, nn.Linear(3, 3))])
def test_a_module_that_was_there_before_is_refused(shared: Any) -> None:
    mine = mlp()
    before = mine[0].weight.detach().clone()
    trainer = recipe(lambda: shared(mine))
    with pytest.raises(ConfigError, match="a new module each time") as caught:
        trainer.train(DATA, 0)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="a new module each time"):
        _ = trainer.key
    assert torch.equal(mine[0].weight, before)


CHANGES: list[dict[str, Any]] = [
    {"optimizer": "adamw"},
    {"optimizer": "sgd"},
    {"optimizer": "sgd", "momentum": 0.9},
    {"lr": 0.02},
    {"epochs": 4},
    {"batch_size": 17},
    {"weight_decay": 0.1},
    {"schedule": "cosine"},
    {"classes": (2, 1, 0)},
    {"augment": brighter},
    {"loss": squared},
    {"loss": weighted(2.0)},
    {"loss": weighted(3.0)},
    {"precision": "bfloat16"},
]


def test_every_setting_is_in_the_key_and_the_device_name_is_not() -> None:
    keys = {recipe(**change).key for change in [{}, *CHANGES]}
    assert len(keys) == len(CHANGES) + 1
    assert recipe().key == recipe(device="cpu").key


@pytest.mark.parametrize("change", CHANGES[1:-1])  # AdamW differs by its decay, half precision on images
def test_every_setting_matters(change: Any) -> None:
    plain, changed = recipe().train(DATA, 1), recipe(**change).train(DATA, 1)
    assert (weights(plain) != weights(changed)).any()
    assert np.isfinite(changed.predict_proba(DATA)).all()


def pooling(between: Any = nn.ReLU, kind: Any = torch.float64) -> Any:
    first = nn.Sequential(nn.Conv2d(1, 4, 3), between(), nn.MaxPool2d(2))
    return nn.Sequential(first, nn.Flatten(), nn.Linear(36, 2)).to(kind)


@pytest.mark.parametrize("between", [nn.ReLU, lambda: nn.ReLU(inplace=True), nn.Sigmoid])
def test_maxima_are_taken_before_relu_to_the_same_effect(between: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = recipe(functools.partial(pooling, between))
    swapped = [type(part) for part in _torch_loop.pooled_first(pooling(between))[0]]
    assert (swapped == [nn.Conv2d, nn.MaxPool2d, nn.ReLU]) == (between is not nn.Sigmoid)
    quick = weights(trainer.train(IMAGES, 3))
    monkeypatch.setattr(_torch_loop, "pooled_first", lambda module: module)
    np.testing.assert_allclose(quick, weights(trainer.train(IMAGES, 3)), rtol=0, atol=1e-13)


def test_half_precision_trains_a_similar_net() -> None:
    full, half = (recipe(cnn, precision=p).train(IMAGES, 1).predict_proba(IMAGES) for p in ("float32", "bfloat16"))
    assert 0 < np.abs(full - half).max() < 0.1


def test_one_output_is_a_logistic_model() -> None:
    data = Records(DATA.X, np.where(DATA.X[:, 0] > 0, "yes", "no"))
    target = recipe(functools.partial(mlp, outputs=1), epochs=40).train(data, 0)
    assert target.classes.tolist() == ["no", "yes"]
    assert (target.classes[target.predict(data)] == data.y).mean() > 0.95


@pytest.mark.parametrize("lacks", [1, 2])
def test_a_half_that_lacks_a_class_is_trained_on_the_classes_of_all(lacks: int) -> None:
    half = DATA.y != lacks
    (model,) = recipe().train_fleet(DATA, half[None], [0])
    assert model.classes.tolist() == [0, 1, 2]
    same = recipe(classes=(0, 1, 2)).train(DATA.take(half), 0)
    np.testing.assert_array_equal(weights(model), weights(same))


def test_classes_that_cannot_be_told_are_asked_for() -> None:
    between, last = DATA.take(DATA.y != 1), DATA.take(DATA.y != 2)
    assert recipe().train(between, 0).classes.tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match=r"as many classes as the module has outputs, 3, got 2"):
        recipe().train(last, 0)
    with pytest.raises(ConfigError, match=r"got 2: give classes="):
        recipe().train(Records(between.X, np.array(["a", "b", "c"])[between.y]), 0)


def test_classes_are_in_the_order_that_is_given() -> None:
    there, back = (recipe(classes=c, epochs=40).train(DATA, 0) for c in ((0, 1, 2), (2, 1, 0)))
    hits = [(target.classes[target.predict(DATA)] == DATA.y).mean() for target in (there, back)]
    assert min(hits) > 0.9
    with pytest.raises(ConfigError, match="among the classes"):
        recipe(classes=(0, 1, 5)).train(DATA, 0)


def test_a_last_batch_of_one_does_not_break_batch_statistics() -> None:
    assert len(IMAGES) % 16 == 1
    assert np.isfinite(weights(recipe(cnn).train(IMAGES, 0))).all()


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"optimizer": "lion"}, "one of sgd, adam, adamw, got 'lion'"),
        ({"schedule": "step"}, "constant, cosine, linear"),
        ({"precision": "half"}, "float32, bfloat16"),
        ({"loss": "hinge"}, "cross-entropy or a function"),
        ({"epochs": 0}, "epochs to be a whole number of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size to be a whole number"),
        ({"lr": 0.0}, "learning rate above 0"),
        ({"lr": float("nan")}, "lr to be a number"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"momentum": 0.9}, "with the optimizer sgd"),
        ({"augment": 3}, "augment"),
        ({"build": mlp()[0].weight}, "function that builds"),
    ],
)
def test_settings_are_checked_in_one_line(wrong: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        recipe(**wrong)
    assert "\n" not in str(caught.value)


def test_says_in_one_line_what_went_wrong() -> None:
    narrow = Records(DATA.X[:, :4], DATA.y)
    with pytest.raises(TargetError, match="shape that it takes") as caught:
        recipe().train(narrow, 0)
    assert "\n" not in str(caught.value)
    with pytest.raises(TargetError, match="smaller learning rate"):
        recipe(optimizer="sgd", lr=1e5, epochs=30, weight_decay=1e3).train(DATA, 0)
    with pytest.raises(ConfigError, match=r"return a torch\.nn\.Module, got dict"):
        recipe(dict).train(DATA, 0)
    with pytest.raises(ConfigError, match="device"):
        recipe(device="nowhere").train(DATA, 0)


def test_first_weights_must_come_from_the_seed() -> None:
    def restless() -> Any:
        return pretrained(float(np.random.default_rng().random()))

    with pytest.raises(ConfigError, match="random numbers from torch alone"):
        _ = recipe(restless).key


@pytest.mark.slow
def test_an_audit_with_shadow_models_finds_what_a_net_learned_by_heart() -> None:
    rng = np.random.default_rng(0)
    centers, y = rng.normal(size=(4, 20)) * 0.4, rng.integers(4, size=1800)
    X = centers[y] + rng.normal(size=(1800, 20))
    members, others, strangers = (Records(X[part::3], y[part::3]) for part in range(3))
    trainer = TorchTrainer(lambda: nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 4)), lr=0.01, epochs=60)
    attacks = ["membership/pooled", "membership/rmia", "membership/learned"]
    for trained_on, outcome in ((members, "leak"), (strangers, "no_leak_found")):
        target = TorchTarget(trainer.train(trained_on, 0).internals, range(4))
        report = keepmum.audit(target, members, others, trainer=trainer, shadows=8, attacks=attacks)
        found = {finding.id: finding.outcome.value for finding in report.findings if finding.id in attacks}
        assert set(found) == set(attacks)
        assert set(found.values()) == {outcome}
