"""Choices that people make in words, the same in Python, on the command line and in files."""

from enum import StrEnum


class Effort(StrEnum):
    """How much work an audit may cost: seconds, minutes, or as long as it takes."""

    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"

    @property
    def blind_records(self) -> int:
        """Records of each side that the blind baseline learns from."""
        return {"quick": 1_000, "standard": 4_000, "thorough": 20_000}[self.value]

    @property
    def rows(self) -> int:
        """Rows that an attack which asks for more than the records may ask about."""
        return {"quick": 10_000, "standard": 40_000, "thorough": 300_000}[self.value]

    @property
    def candidates(self) -> int:
        """Records with a candidate value put in that an attack on a hidden attribute may ask about."""
        return {"quick": 20_000, "standard": 200_000, "thorough": 2_000_000}[self.value]

    @property
    def shadows(self) -> int:
        """Shadow models that are trained unless their number is given."""
        return {"quick": 0, "standard": 8, "thorough": 64}[self.value]


class EngineName(StrEnum):
    """Where shadow models are trained: on this machine, or on a cluster of Dask or Ray."""

    LOCAL = "local"
    DASK = "dask"
    RAY = "ray"


class Doubt(StrEnum):
    """What a gate does when the numbers cannot decide: stop (exit 3), go on with a warning, go on."""

    FAIL = "fail"
    WARN = "warn"
    PASS = "pass"  # noqa: S105


class Gives(StrEnum):
    """What a module's forward pass gives."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"


class PriorName(StrEnum):
    """What an attacker takes images to be: sums of eigenimages, what an auto-encoder draws, or any pixels."""

    PCA = "pca"
    VAE = "vae"
    PIXELS = "pixels"
