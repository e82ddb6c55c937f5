"""What is attacked, as far as it can be reached."""

from keepmum.targets._base import GradientTarget, LabelTarget, RegressionTarget, ScoreTarget, Target
from keepmum.targets._sandbox import Limits
from keepmum.targets.coerce import as_target
from keepmum.targets.files import load
from keepmum.targets.function import FunctionScores, from_callable
from keepmum.targets.handshake import Handshake, believed
from keepmum.targets.inspection import FileFinding, Severity, inspect
from keepmum.targets.recorded import RecordedScores
from keepmum.targets.sklearn import from_sklearn
from keepmum.targets.text_function import TextFunction, as_text_target
from keepmum.targets.torch import TorchTarget
from keepmum.targets.torch_lm import Reading, TorchLM
from keepmum.targets.transformers import HFCausal, HFMasked

__all__ = [
    "FileFinding",
    "FunctionScores",
    "GradientTarget",
    "HFCausal",
    "HFMasked",
    "Handshake",
    "LabelTarget",
    "Limits",
    "Reading",
    "RecordedScores",
    "RegressionTarget",
    "ScoreTarget",
    "Severity",
    "Target",
    "TextFunction",
    "TorchLM",
    "TorchTarget",
    "as_target",
    "as_text_target",
    "believed",
    "from_callable",
    "from_sklearn",
    "inspect",
    "load",
]
