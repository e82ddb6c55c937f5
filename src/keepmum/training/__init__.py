"""Training procedures: how a model like the target is made, so that an attacker can make more of them."""

from keepmum.training._base import Around, Trainer, as_trainer
from keepmum.training.engines import engine
from keepmum.training.function import FunctionTrainer
from keepmum.training.objective import Moment, Objective
from keepmum.training.private import Mechanism, PrivateTrainer, Step
from keepmum.training.private_text import PrivateTexts
from keepmum.training.sklearn import SklearnTrainer
from keepmum.training.statement import Statement
from keepmum.training.text import TextRecipe, train_causal, train_masked, train_tokenizer
from keepmum.training.torch import TorchTrainer

__all__ = [
    "Around",
    "FunctionTrainer",
    "Mechanism",
    "Moment",
    "Objective",
    "PrivateTexts",
    "PrivateTrainer",
    "SklearnTrainer",
    "Statement",
    "Step",
    "TextRecipe",
    "TorchTrainer",
    "Trainer",
    "as_trainer",
    "engine",
    "train_causal",
    "train_masked",
    "train_tokenizer",
]
