"""sacroml: LiRA, online."""

import logging
import sys
import tempfile

import numpy as np
from sacroml.attacks.likelihood_attack import LIRAAttack
from sacroml.attacks.target import Target
from sklearn.base import clone
from task import Clock, load

logging.disable(logging.CRITICAL)


class Lira(LIRAAttack):
    """Keeps the scores; its own option to do so repeats a test of normality for each record."""

    def _save_attack_metrics(self, mia_scores, *sizes):
        self.scores = np.array(mia_scores)[:, 1]
        super()._save_attack_metrics(mia_scores, *sizes)


class Timed(Lira):
    """Tells training from the rest."""

    def _get_shadow_signals(self, *records):
        training.__exit__(None, None, None)
        return super()._get_shadow_signals(*records)


task = load(sys.argv[1])
X = task.X.astype(np.float64)  # it fails on float32: "Input contains NaN"
inside, outside = np.flatnonzero(task.member), np.flatnonzero(~task.member)
model = clone(task.model).partial_fit(X[:50], task.y[:50], classes=np.arange(10))
model.coefs_, model.intercepts_ = task.model.coefs_, task.model.intercepts_
target = Target(model=model, X_train=X[inside], y_train=task.y[inside], X_test=X[outside], y_test=task.y[outside])
clock = Clock()
with tempfile.TemporaryDirectory() as folder, clock.part("all"):
    attack = Timed(folder, write_report=False, n_shadow_models=task.shadows, mode="online-carlini")
    training = clock.part("training")
    training.__enter__()
    attack.attack(target)
clock.parts["scoring"] = clock.parts.pop("all") - clock.parts["training"]
scores = np.empty(len(task.y))
scores[np.concatenate([inside, outside])] = attack.scores
clock.finish(task, {"LiRA, online": scores})
