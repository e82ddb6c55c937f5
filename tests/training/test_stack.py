"""Stacked fleets: each model is the one that it would be alone, bit for bit, and the one that autograd trains."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from keepmum.data import Records
from keepmum.shadows import balanced_pairs
from keepmum.training import TorchTrainer, _torch_fleet
from keepmum.training._stack import group_size, groups_of, why_not
from keepmum.training._stack_layers import Sigmoid, activation, aligned_width

torch = pytest.importorskip("torch")
nn = torch.nn

SGD = {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01, "lr": 0.05}
PLAIN = {"optimizer": "sgd", "weight_decay": 0.01, "lr": 0.1}
ADAM = {"optimizer": "adam", "lr": 1e-3, "schedule": "cosine"}
ADAMW = {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.01}


def net(widths: tuple[int, ...], between: Any = nn.ReLU, drop: float = 0.2, kind: Any = None) -> Any:
    """A dense net as most people write it, in two nested sequences."""
    parts = [nn.Flatten()]
    for inside, outside in itertools.pairwise(widths):
        parts += [nn.Linear(inside, outside, dtype=kind), between(), nn.Dropout(drop)]
    return nn.Sequential(nn.Sequential(*parts[:-3]), nn.Identity(), parts[-3])


def records(count: int, width: int, classes: int) -> Records:
    X = np.random.default_rng([count, width, classes]).normal(size=(count, width))
    return Records(X, np.arange(count) % classes)


def fleet(trainer: TorchTrainer, data: Records, models: slice = slice(None)) -> list[Any]:
    pairs = list(balanced_pairs(len(data), 5, 0))
    masks = np.concatenate([mask for mask, _ in pairs])[models]
    made = trainer.train_fleet(data, masks, [seed for _, pair in pairs for seed in pair][models])
    return [np.concatenate([v.detach().numpy().ravel() for v in m.internals.parameters()]) for m in made]


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def of(size: int) -> None:
        monkeypatch.setattr(_torch_fleet, "group_size", lambda module: size)

    yield of
    monkeypatch.undo()


ODD = [  # widths that are multiples of nothing, halves that differ by one, a last step that is short
    ((7, 13, 5, 3), nn.Sigmoid, 101, 16),
    ((105, 100, 10), nn.ReLU, 301, 64),
    ((33, 30, 17, 4), nn.Tanh, 150, 64),
    ((20, 64, 10), nn.GELU, 333, 50),
    ((30, 10), nn.ReLU, 200, 32),
    ((9, 21, 6), nn.ELU, 75, 1),
    ((9, 20, 1), nn.ReLU, 75, 16),
    ((9, 1, 2), nn.Tanh, 75, 16),
    ((1, 32, 3), nn.SiLU, 75, 16),
]


@pytest.mark.parametrize(("widths", "between", "count", "batch"), ODD)
@pytest.mark.parametrize("settings", [SGD, ADAM])
def test_a_model_is_the_same_in_every_group(
    widths: Any, between: Any, count: int, batch: int, settings: Any, grouped: Any
) -> None:
    trainer = TorchTrainer(functools.partial(net, widths, between), epochs=2, batch_size=batch, **settings)
    data, seen = records(count, widths[0], max(2, widths[-1])), []
    for size in (1, 2, 4, 8):
        grouped(size)
        seen.append(fleet(trainer, data))
    for other in seen[1:]:
        np.testing.assert_array_equal(np.stack(seen[0]), np.stack(other))
    np.testing.assert_array_equal(np.stack(seen[0][3:9]), np.stack(fleet(trainer, data, slice(3, 9))))


KINDS = [nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, lambda: nn.GELU("tanh")]


@pytest.mark.parametrize("between", KINDS)
@pytest.mark.parametrize("width", [1, 13, 20])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_what_is_computed_number_by_number_is_the_same_in_every_group(between: Any, width: int, kind: Any) -> None:
    def both(x: Any, d: Any) -> tuple[Any, Any]:
        layer = Sigmoid(width) if between is nn.Sigmoid else activation(between())
        assert layer is not None
        return layer.forward(x.clone(), x.shape[1]).clone(), layer.backward(d.clone())

    seeded, rows = torch.Generator().manual_seed(width), aligned_width(1, width)
    for _ in range(20):
        x, d = (torch.randn(3, rows, width, generator=seeded, dtype=kind) for _ in range(2))
        together = both(x, d)
        for place in range(3):
            for whole, alone in zip(together, both(x[place : place + 1], d[place : place + 1]), strict=True):
                assert torch.equal(whole[place], alone[0])


@pytest.mark.parametrize(
    ("between", "settings"), [(kind, SGD) for kind in KINDS] + [(nn.Tanh, how) for how in (PLAIN, ADAM, ADAMW)]
)
def test_training_is_that_of_the_plain_loop(between: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    build = functools.partial(net, (7, 13, 6, 3), between, 0.2, torch.float64)
    trainer, data = TorchTrainer(build, epochs=3, batch_size=16, **settings), records(75, 7, 3)
    stacked = fleet(trainer, data)
    monkeypatch.setattr(_torch_fleet, "why_alone", lambda *given: "asked for")
    np.testing.assert_allclose(np.stack(stacked), np.stack(fleet(trainer, data)), rtol=0, atol=1e-11)


@pytest.mark.parametrize("settings", [SGD, ADAM])
def test_one_output_is_trained_as_in_the_plain_loop(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    build = functools.partial(net, (7, 13, 1), nn.ReLU, 0.2, torch.float64)
    trainer, data = TorchTrainer(build, epochs=3, batch_size=16, **settings), records(75, 7, 2)
    assert trainer.fleet_note.startswith("together")
    stacked = fleet(trainer, data)
    monkeypatch.setattr(_torch_fleet, "why_alone", lambda *given: "asked for")
    np.testing.assert_allclose(np.stack(stacked), np.stack(fleet(trainer, data)), rtol=0, atol=1e-11)


def noisy(batch: Any, generator: Any) -> Any:
    return batch + torch.randn(batch.shape, generator=generator)


@pytest.mark.parametrize("settings", [SGD, ADAM, {**ADAM, "augment": noisy}, {**SGD, "schedule": "linear"}])
def test_single_precision_agrees_to_a_millionth(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = TorchTrainer(functools.partial(net, (20, 64, 10)), epochs=3, batch_size=50, **settings)
    data = records(400, 20, 10)
    stacked = fleet(trainer, data, slice(0, 1))
    monkeypatch.setattr(_torch_fleet, "why_alone", lambda *given: "asked for")
    np.testing.assert_allclose(stacked[0], fleet(trainer, data, slice(0, 1))[0], rtol=0, atol=1e-6)


def test_images_are_flattened() -> None:
    trainer = TorchTrainer(functools.partial(net, (30, 16, 3)), epochs=1)
    flat = records(60, 30, 3)
    images = Records(flat.X.reshape(60, 1, 5, 6), flat.y)
    np.testing.assert_array_equal(np.stack(fleet(trainer, flat)), np.stack(fleet(trainer, images)))


def test_models_of_any_size_come_in_order() -> None:
    data = records(90, 6, 3)
    masks = np.random.default_rng(0).random((40, 90)) < np.linspace(0.3, 0.9, 40)[:, None]
    trainer = TorchTrainer(functools.partial(net, (6, 8, 3)), epochs=2, batch_size=8)
    for place, model in enumerate(trainer.train_fleet(data, masks, range(40))):
        alone = next(iter(trainer.train_fleet(data, masks[place : place + 1], [place])))
        np.testing.assert_array_equal(model.predict_proba(data), alone.predict_proba(data))


def test_groups_hold_models_with_equally_many_records() -> None:
    sizes = np.array([5, 4] * 20)
    groups = list(groups_of(sizes, 8))
    assert sorted(np.concatenate(groups).tolist()) == list(range(40))
    assert all(len(set(sizes[group])) == 1 and len(group) <= 8 for group in groups)
    assert len(groups) == 6


def test_large_models_are_computed_in_smaller_groups() -> None:
    sizes = [group_size(net(widths)) for widths in ((10, 16, 3), (100, 128, 100), (600, 128, 100), (5000, 500, 100))]
    assert sizes == [16, 10, 8, 8]


@pytest.mark.parametrize("beside", [1, 3, 8, 10, 16, 100])
def test_padding_is_the_least_that_aligns(beside: int) -> None:
    for width in (1, 7, 16, 100):
        wide = aligned_width(width, beside)
        assert wide * beside % 32 == 0
        assert not any(w * beside % 32 == 0 for w in range(width, wide))


def shared() -> Any:
    same = nn.Linear(5, 5)
    return nn.Sequential(same, nn.ReLU(), same)


def hooked() -> Any:
    module = net((5, 4, 3))
    module[2].register_forward_hook(lambda *given: None)
    return module


def frozen() -> Any:
    module = net((5, 4, 3))
    module[2].weight.requires_grad_(False)
    return module


class Mine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = net((5, 4, 3))

    def forward(self, x: Any) -> Any:
        return self.inner(x)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)), "BatchNorm1d is no layer"),
        (lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU()), "does not end in a linear layer"),
        (lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.ReLU(), nn.Linear(4, 3)), "activation follows another"),
        (lambda: nn.Sequential(nn.Linear(5, 4), nn.Flatten(), nn.Linear(4, 3)), "not flattened first"),
        (shared, "shared, hooked or frozen"),
        (hooked, "shared, hooked or frozen"),
        (frozen, "shared, hooked or frozen"),
        (Mine, "Mine is no layer"),
    ],
)
def test_says_why_models_are_trained_alone(build: Any, reason: str) -> None:
    trainer = TorchTrainer(build)
    assert reason in trainer.fleet_note
    assert trainer.fleet_note.startswith("one after another: ")
    assert trainer.fleet_size == 2


def test_other_losses_and_half_precision_are_trained_alone() -> None:
    build = functools.partial(net, (5, 4, 3))
    assert "loss" in TorchTrainer(build, loss=nn.functional.cross_entropy).fleet_note
    assert "precision" in TorchTrainer(build, precision="bfloat16").fleet_note
    assert "precision" in TorchTrainer(functools.partial(build, kind=torch.bfloat16)).fleet_note
    assert TorchTrainer(build).fleet_note.startswith("together")
    assert TorchTrainer(build).fleet_size == 16
    assert why_not(nn.Sequential(nn.Linear(5, 3)), 4) == "records are not flattened first"
