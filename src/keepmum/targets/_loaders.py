"""Load a model file into this process, by its format. `files` tries each file in a worker first."""

from __future__ import annotations

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
        from keepmum.targets._skops import load_skops
        from keepmum.targets.sklearn import from_sklearn

        return from_sklearn(load_skops(path))
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
