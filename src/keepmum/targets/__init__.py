"""What is attacked, as far as it can be reached."""

from typing import Any

from keepmum.targets._base import GradientTarget, LabelTarget, RegressionTarget, ScoreTarget, Target
from keepmum.targets.function import FunctionScores
from keepmum.targets.recorded import RecordedScores
from keepmum.targets.sklearn import from_sklearn



def as_target(model: Any, labels: Any = None, classes: Any = None) -> Target:
    """A target for whatever was given."""
    return model if isinstance(model, Target) else from_sklearn(model)


__all__ = [
    "FunctionScores",
    "GradientTarget",
    "LabelTarget",
    "RecordedScores",
    "RegressionTarget",
    "ScoreTarget",
    "Target",
    "as_target",
    "from_sklearn",
]
