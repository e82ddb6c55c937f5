"""Private training: exactness and cost of clipped sums, accuracy under epsilon, and whether the accountant is right."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _defenses_tasks import Mlp
from common import Bars, at_least, at_most, table

from keepmum.accounting import RDP, sampled_epsilon
from keepmum.data import Records
from keepmum.training import Mechanism, PrivateTrainer, TorchTrainer

NINE = (
    (1.1, 0.00427, 3515, 1e-5, 1.1337),
    (1.0, 0.01, 1000, 1e-5, 1.8282),
    (0.6, 0.01, 2000, 1e-5, 9.9535),
    (0.8, 0.004, 10000, 1e-5, 3.5349),
    (2.0, 0.05, 500, 1e-5, 2.5320),
    (1.0, 0.01024, 9765, 1e-5, 6.2759),
    (4.0, 0.25, 400, 1e-5, 5.8642),
    (1.5, 1.0, 10, 1e-5, 10.6695),
    (10.0, 1.0, 1000, 1e-6, 19.4237),
)
"""Noise, rate, steps, delta, and epsilon by privacy loss distributions, recorded from dp-accounting 0.6.0."""


def small_cnn() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 8, stride=2, padding=3),
        nn.ReLU(),
        nn.MaxPool2d(2, 1),
        nn.Conv2d(16, 32, 4, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(512, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


def larger_cnn() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.GroupNorm(8, 32),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.GroupNorm(8, 32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.GroupNorm(8, 64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(4096, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


SIZES: dict[str, tuple[Callable[[], Any], tuple[int, ...], int, int, float]] = {
    "mlp": (Mlp((600, 256, 256, 100)), (600,), 256, 100, 1.6),
    "cnn_26k": (small_cnn, (1, 28, 28), 256, 10, 2.2),
    "cnn_551k": (larger_cnn, (3, 32, 32), 64, 10, 2.2),
}
"""Module, shape of a record, batch, classes, and the goal for a private step's cost over a plain one's."""


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    bars: Bars = {}
    tables = []
    for part in (costs, accountant, digits, logistic):
        found, shown = part(quick)
        bars |= found
        tables.append(shown)
    return bars, tables


def costs(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """Least CPU time of a step, each kind in turn."""
    import torch

    torch.set_num_threads(1)
    bars: Bars = {}
    rows = []
    for name, (build, shape, batch, classes, goal) in SIZES.items():
        torch.manual_seed(0)
        module = build()
        X, y = torch.randn(batch, *shape), torch.randint(0, classes, (batch,))
        took = interleaved(steps(module, X, y), 3 if quick else 12)
        off = against_vmap(module, X[:64], y[:64])
        ratios = {kind: value / took["plain"] for kind, value in took.items()}
        bars[f"dp_{name}_clipped_sum_off_vmap"] = at_most(off, 1e-5)
        bars[f"dp_{name}_step_cost_over_plain"] = at_most(ratios["private"], goal)
        size = sum(p.numel() for p in module.parameters())
        print(f"  {name}: private {ratios['private']:.2f}, off {off:.1e}", flush=True)
        told = [f"{ratios[kind]:.2f}" if kind in ratios else "–" for kind in ("private", "ghost", "hooks", "vmap")]
        rows.append([name, f"{size:,}", batch, f"{1000 * took['plain']:.1f}", *told, f"{off:.1e}"])
    head = [
        "module",
        "parameters",
        "batch",
        "plain step, ms",
        "keepmum",
        "Opacus, ghost",
        "Opacus, hooks",
        "vmap",
        "off",
    ]
    note = "Cost of a step over that of a plain one, least CPU time on one thread, in turn in one run. Off: relative."
    return bars, table("Cost of a private step", head, rows, note)


def steps(module: Any, X: Any, y: Any) -> dict[str, Callable[[], Any]]:
    """A gradient of each kind, without the optimizer, which is the same for all."""
    import copy

    import torch

    from keepmum.training._private_gradients import per_example, trained_parameters
    from keepmum.training._private_loop import losses

    mechanism, generator = Mechanism(), torch.Generator().manual_seed(0)
    size = sum(p.numel() for p in trained_parameters(module))

    def plain() -> None:
        module.zero_grad()
        torch.nn.functional.cross_entropy(module(X), y).backward()

    def private() -> Any:
        return mechanism.clipped_sum(module, X, y, 1.0) + mechanism.noise(size, 1.0, generator)

    def vmap() -> Any:
        flat = per_example(module, X, y, losses)
        return (1 / flat.norm(dim=1).clamp(min=1.0)) @ flat + mechanism.noise(size, 1.0, generator)

    made: dict[str, Callable[[], Any]] = {"plain": plain, "private": private, "vmap": vmap}
    for kind in ("hooks", "ghost"):
        step = opacus(copy.deepcopy(module), X, y, kind)
        if step is not None:
            made[kind] = step
    return made


def opacus(module: Any, X: Any, y: Any, kind: str) -> Callable[[], Any] | None:
    """A step of Opacus, noise included; None where it is not installed."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from opacus import PrivacyEngine
    except ImportError:
        return None
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = PrivacyEngine().make_private(
            module=module,
            optimizer=torch.optim.SGD(module.parameters(), lr=0.0),
            data_loader=data,
            criterion=torch.nn.CrossEntropyLoss(),
            noise_multiplier=1.0,
            max_grad_norm=1.0,
            poisson_sampling=False,
            grad_sample_mode=kind,
        )
    model, optimizer, loss = (told[0], told[1], told[2]) if kind == "ghost" else (told[0], told[1], None)
    plain = torch.nn.CrossEntropyLoss()

    def step() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer.zero_grad()
            value = loss(model(X), y) if loss is not None else plain(model(X), y)
            value.backward()
            optimizer.step()

    return step


def interleaved(kinds: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Least CPU seconds of each kind over rounds in which each has its turn."""
    least = dict.fromkeys(kinds, float("inf"))
    for turn in range(rounds + 1):
        for name, step in kinds.items():
            began = time.process_time()
            step()
            if turn:
                least[name] = min(least[name], time.process_time() - began)
    return least


def against_vmap(module: Any, X: Any, y: Any) -> float:
    """Relative distance of the clipped sum from that by vmap in double precision."""
    import copy

    from keepmum.training._private_gradients import per_example
    from keepmum.training._private_loop import losses

    exact = copy.deepcopy(module).double()
    flat = per_example(exact, X.double(), y, losses)
    clip = float(flat.norm(dim=1).median())
    theirs = (clip / flat.norm(dim=1)).clamp(max=1.0) @ flat
    mine = Mechanism().clipped_sum(module, X, y, clip)
    return float((mine.double() - theirs).norm() / theirs.norm())


def accountant(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """Epsilon of nine settings against recorded values, Rényi and Opacus's own accountant beside."""
    rows, off = [], []
    for noise, rate, count, delta, recorded in NINE:
        mine = sampled_epsilon(noise, rate, count, delta)
        off.append(mine - recorded)
        rows.append(
            [noise, rate, f"{count:,}", delta, f"{recorded:.4f}", f"{mine:.4f}", *beside(noise, rate, count, delta)]
        )
    bars = {
        "dp_accountant_most_off": at_most(max(map(abs, off)), 0.02),
        "dp_accountant_most_below": at_most(max(-o for o in off), 1e-3),
    }
    head = ["noise", "rate", "steps", "delta", "recorded", "keepmum", "Rényi", "Opacus, PRV"]
    return bars, table("Epsilon of nine settings", head, rows, "Opacus's accountant is another implementation.")


def beside(noise: float, rate: float, count: int, delta: float) -> list[str]:
    rdp = f"{sampled_epsilon(noise, rate, count, delta, RDP):.4f}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from opacus.accountants import PRVAccountant

            made = PRVAccountant()
            made.history = [(noise, rate, count)]
            return [rdp, f"{made.get_epsilon(delta):.4f}"]
    except ImportError:
        return [rdp, "–"]


def tanh_cnn() -> Any:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


RATES = {1.0: 0.2, 4.0: 0.35, 8.0: 0.5}
"""Learning rates by epsilon. Like batch and epochs they were chosen on seeds from 101 on, which are not reported."""


def digits(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """Accuracy on handwritten digits, 1,400 to train on, by epsilon."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    X = bunch.images - bunch.images.mean(axis=(1, 2), keepdims=True)  # each image by itself: no record sees others
    X = (X / X.std(axis=(1, 2), keepdims=True))[:, None].astype(np.float32)
    recipes = {
        eps: PrivateTrainer(
            TorchTrainer(tanh_cnn, optimizer="sgd", lr=lr, momentum=0.9, epochs=100, schedule="cosine"),
            epsilon=eps,
            batch=560,
            clip=0.5,
        )
        for eps, lr in RATES.items()
    }
    seeds = range(2 if quick else 12)
    found: dict[Any, list[float]] = {}
    for name, recipe in {**recipes, "plain": TorchTrainer(tanh_cnn, epochs=30)}.items():
        for seed in seeds:
            order = np.random.default_rng(seed).permutation(len(X))
            train, test = order[:1400], order[1400:]
            target = recipe.train(Records(X[train], bunch.target[train]), seed)
            right = target.predict(Records(X[test], bunch.target[test])) == bunch.target[test]
            found.setdefault(name, []).append(float(right.mean()))
        print(f"  digits, {name}: {statistics.mean(found[name]):.3f}", flush=True)
    bars = {
        "dp_digits_accuracy_epsilon_4": at_least(statistics.mean(found[4.0]), 0.93),
        "dp_digits_accuracy_epsilon_8": at_least(statistics.mean(found[8.0]), 0.96),
    }
    rows = [[str(name), f"{statistics.mean(v):.3f}", f"{min(v):.3f}", f"{max(v):.3f}"] for name, v in found.items()]
    note = f"Convolutional net, 1,400 records to train on, 397 to test on, delta 1e-5, {len(seeds)} seeds."
    note += " Contrast evened image by image, batch 560, 100 epochs; settings were chosen on other seeds."
    return bars, table("Accuracy on digits", ["epsilon", "mean", "least", "most"], rows, note)


def logistic(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """Accuracy of private logistic regression on the breast cancer data; bounds from records that are set aside."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from keepmum.training.private_logistic import PrivateLogisticRegression

    X, y = load_breast_cancer(return_X_y=True)
    found: dict[str, list[float]] = {}
    for seed in range(5 if quick else 20):
        train, rest, ours, theirs = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
        public, test, _, truth = train_test_split(rest, theirs, train_size=57, random_state=seed)
        middle, sd = public.mean(axis=0), public.std(axis=0)
        bounds = (middle - 2 * sd, middle + 2 * sd)
        for epsilon in (0.1, 1.0, 10.0):
            model = PrivateLogisticRegression(epsilon, 1e-5, bounds, random_state=seed).fit(train, ours)
            found.setdefault(f"{epsilon:g}", []).append(float(model.score(test, truth)))
        plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train, ours)
        found.setdefault("plain", []).append(float(plain.score(test, truth)))
    goals = {"0.1": 0.80, "1": 0.93, "10": 0.955}
    bars = {
        f"dp_logistic_accuracy_epsilon_{name}": at_least(statistics.mean(found[name]), goal)
        for name, goal in goals.items()
    }
    rows = [[name, f"{statistics.mean(v):.3f}", f"{min(v):.3f}", f"{max(v):.3f}"] for name, v in found.items()]
    note = "Breast cancer, 398 records to train on, delta 1e-5, 20 seeds; bounds from 57 records set aside as public."
    return bars, table("Private logistic regression", ["epsilon", "mean", "least", "most"], rows, note)
