"""All defenses. Adding one is one file and one import line in its family's package."""

from keepmum.defenses._base import BehindOutput, Defense, OutputDefense, TrainingDefense, defended
from keepmum.defenses._catalog import behind, defense_classes, parse, settled

__all__ = [
    "BehindOutput",
    "Defense",
    "OutputDefense",
    "TrainingDefense",
    "behind",
    "defended",
    "defense_classes",
    "parse",
    "settled",
]
