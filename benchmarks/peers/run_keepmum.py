"""keepmum: a store of shadow models, and four attacks on it."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.base import clone
from task import Clock, Task, load

from keepmum.attacks.membership import Learned, Lira, Pooled, Rmia
from keepmum.data import Records
from keepmum.shadows import ShadowStore, scaled_logit
from keepmum.targets import from_sklearn
from keepmum.training import SklearnTrainer, Trainer

ATTACKS = {"LiRA, online": Lira, "RMIA, online": Rmia, "pooled": Pooled, "learned": Learned}


def torch_trainer(task: Task) -> Trainer:
    """The same network, trained equally, in torch: weights begin as scikit-learn's do."""
    import torch

    from keepmum.training import TorchTrainer

    torch.set_num_threads(1)
    width, (hidden,) = task.X.shape[1], task.recipe["hidden_layer_sizes"]

    def build() -> torch.nn.Module:
        layers = [torch.nn.Linear(width, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10)]
        for layer in layers[::2]:
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            torch.nn.init.uniform_(layer.weight, -bound, bound)
            torch.nn.init.uniform_(layer.bias, -bound, bound)
        return torch.nn.Sequential(*layers)

    recipe = task.recipe
    return TorchTrainer(
        build,
        optimizer="sgd",
        lr=recipe["learning_rate_init"],
        momentum=recipe["momentum"],
        epochs=recipe["max_iter"],
        batch_size=recipe["batch_size"],
        classes=tuple(range(10)),
    )


def warm(trainer: Trainer, task: Task) -> None:
    """Let everything be imported: two models, one epoch, a hundred records."""
    if isinstance(trainer, SklearnTrainer):
        short = SklearnTrainer(clone(task.model).set_params(max_iter=1, n_iter_no_change=1))
    else:
        short = replace(trainer, epochs=1)  # type: ignore[type-var]
    few = Records(task.X[:100], task.y[:100], np.arange(100))
    Learned().infer(np.zeros(100), ShadowStore().collect(short, few, 4, seed=1), np.random.default_rng(0))


task = load(sys.argv[1])
trainer = torch_trainer(task) if "torch" in sys.argv[2] else SklearnTrainer(clone(task.model))
warm(trainer, task)
records = Records(task.X, task.y, np.arange(len(task.y)))
target = from_sklearn(task.model)
clock, scores = Clock(), {}
with tempfile.TemporaryDirectory() as folder:
    with clock.part("training"):  # and the shadow models' signals, kept in a folder
        shadows = ShadowStore(Path(folder)).collect(trainer, records, task.shadows, seed=0)
    with clock.part("scoring"):
        heard = shadows.clip(scaled_logit(target, records))
        for name, attack in ATTACKS.items():
            scores[name] = attack().infer(heard, shadows, np.random.default_rng(0))
clock.finish(task, scores, note=trainer.fleet_note)
