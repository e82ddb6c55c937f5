"""All defenses. Adding one is one file and one import line in its family's package."""

from keepmum.defenses._base import BehindOutput, Defense, OutputDefense, TrainingDefense, defended
from keepmum.defenses._catalog import defense_classes, parse

__all__ = ["BehindOutput", "Defense", "OutputDefense", "TrainingDefense", "defended", "defense_classes", "parse"]
