"""What is attacked, as far as it can be reached."""

from keepmum.targets._base import GradientTarget, LabelTarget, RegressionTarget, ScoreTarget, Target
from keepmum.targets.function import FunctionScores
from keepmum.targets.recorded import RecordedScores
from keepmum.targets.sklearn import from_sklearn

__all__ = [
    "FunctionScores",
    "GradientTarget",
    "LabelTarget",
    "RecordedScores",
    "RegressionTarget",
    "ScoreTarget",
    "Target",
    "from_sklearn",
]
