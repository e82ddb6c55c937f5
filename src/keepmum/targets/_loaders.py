"""Load a model file into this process, by its format. `files` tries each file in a worker first."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from keepmum.errors import TargetError
from keepmum.targets._base import Target
from keepmum.targets._formats import Format


def open_model(path: Path, kind: Format, classes: Any = None) -> Target:
    """Target for a file of a safe format.

    Raises:
      UnsafeFileError: The file is damaged, crafted, or holds what is not allowed.
      TargetError: The model cannot be asked.
      MissingExtraError: The library for this format is not installed.
    """
    if kind is Format.SKOPS:
        return _open_skops(path)
    if kind is Format.ONNX:
        from keepmum.targets.onnx import load_onnx

        return load_onnx(path, classes)
    if kind is Format.XGBOOST:
        from keepmum.targets.boosters import load_xgboost

        return load_xgboost(path, classes)
    if kind is Format.LIGHTGBM:
        from keepmum.targets.boosters import load_lightgbm

        return load_lightgbm(path, classes)
    raise TargetError(f"{path.name} is a pickle, which is never loaded into this process")


def _open_skops(path: Path) -> Target:
    """The model, with a note where it was saved by another version of scikit-learn."""
    from sklearn.exceptions import InconsistentVersionWarning

    from keepmum.targets._skops import load_skops
    from keepmum.targets.sklearn import from_sklearn

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        target = from_sklearn(load_skops(path))
    for warning in (w.message for w in said if isinstance(w.message, InconsistentVersionWarning)):
        target.notes.append(
            f"The model was saved with scikit-learn {warning.original_sklearn_version} and read with "
            f"{warning.current_sklearn_version}: its answers may differ from those that it gave there."
        )
        break
    return target
