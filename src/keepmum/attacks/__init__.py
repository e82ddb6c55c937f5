"""All attacks. Adding one is one file and one import line in its family's package."""

from keepmum.attacks._base import Attack, Context
from keepmum.attacks._catalog import attack_classes, choose, default_attacks

__all__ = ["Attack", "Context", "attack_classes", "choose", "default_attacks"]
