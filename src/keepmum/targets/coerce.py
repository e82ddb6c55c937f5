"""One door for everything that can be audited."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets._base import Target
from keepmum.targets.sklearn import from_sklearn
from keepmum.targets.torch import from_module, is_module

PROBE_ROWS = 2


def as_target(model: Any, labels: Any, classes: Any = None, *, probe: Records | None = None, **opening: Any) -> Target:
    """Target for a target, a model file, a fitted estimator, a torch module or a callable.

    Args:
      model: What is to be audited.
      labels: Labels of the records, from which the classes of a callable or a module are inferred.
      classes: ``(K,)`` labels in the order of the probabilities, for models that do not tell them.
      probe: Records of which a callable or a module is asked two once, to learn its number of classes.
      opening: How a file is opened: ``allow_pickle``, ``factory``, ``gives``; see `keepmum.targets.files.load`.

    Raises:
      TargetError: It is none of these.
      UnsafeFileError: A file that is refused.
    """
    if isinstance(model, Target):
        return model
    few = None if probe is None else _few(probe)
    if isinstance(model, (str, os.PathLike)):
        from keepmum.targets.files import Opening, opened

        return opened(Path(model), Opening(classes=classes, labels=labels, probe=few, **opening))
    if is_module(model) and not hasattr(model, "predict_proba"):
        return from_module(model, classes, labels, few)
    if isinstance(model, type) or hasattr(model, "predict"):
        return from_sklearn(model)
    if callable(model):
        from keepmum.targets.function import from_callable

        return from_callable(model, classes, labels, few)
    raise TargetError(
        f"expected a fitted model, a function that returns probabilities, or a model file, got {type(model).__name__}"
    )


def _few(records: Records) -> Records:
    import numpy as np

    return records.take(np.arange(min(PROBE_ROWS, len(records))))
