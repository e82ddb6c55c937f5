"""What can be set of pictures and of language models, and what every section of the settings is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field, field_validator

from keepmum._values import Ends, Sides, Switch, Texts
from keepmum.choices import PriorName


class Section(BaseModel):
    """A table of the project file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageSettings(Section):
    """How pictures are searched for where the model knows images; what is not set is up to the attack."""

    persons: Switch = Field(default=False, description="A class is a person: a picture that is recognized shows them.")
    shape: Annotated[Sides, Parameter(metavar="H,W[,C]", show_default=False)] = Field(
        default=(), description="Height and width, and channels if any, of one image, where records are flat."
    )
    pixels: Annotated[Ends, Parameter(metavar="LOW,HIGH", show_default=False, allow_leading_hyphen=True)] = Field(
        default=(), description="Darkest and brightest value of a pixel, such as 0,255; those seen unless said."
    )
    prior: Annotated[PriorName, Parameter(name="--image-prior")] = Field(
        default=PriorName.PCA, description="What an attacker takes images to be, from the population."
    )
    components: Annotated[int | None, Parameter(name="--image-components")] = Field(
        default=None, ge=1, description="Latent numbers of that prior; 40 of pca, 24 of vae unless said."
    )
    classes: Annotated[int | None, Parameter(name="--image-classes")] = Field(
        default=None, ge=1, description="Classes to reconstruct at most, drawn at random; 25 unless said."
    )
    queries: Annotated[int | None, Parameter(name="--image-queries")] = Field(
        default=None, ge=10, description="Queries for each class; by attack and effort unless said."
    )

    @field_validator("shape")
    @classmethod
    def _is_shape(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value and len(value) not in (2, 3):
            raise ValueError(f"expected height,width or height,width,channels, got {len(value)} numbers")
        return value

    @field_validator("pixels")
    @classmethod
    def _is_range(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if value and (len(value) != 2 or not value[0] < value[1]):
            raise ValueError(f"expected the darkest and a brighter value, such as 0,1, got {','.join(map(str, value))}")
        return value


class TextSettings(Section):
    """What a language model is asked about, and how it is reached."""

    secrets: Path | None = Field(
        default=None, description="Registry of the canaries in its training data, as keepmum canary make wrote it."
    )
    field: Annotated[str, Parameter(name="--text-field")] = Field(
        default="text", description="Field or column that holds a document."
    )
    reference: Path | None = Field(
        default=None, description="Folder of a model like it that never saw the members: the base of a fine-tuned one."
    )
    url: str | None = Field(
        default=None, description="Served model instead of MODEL: an OpenAI-compatible address such as https://host/v1."
    )
    served: Annotated[str | None, Parameter(name="--served-model")] = Field(
        default=None, description="Name of the model at that address."
    )
    key_env: str = Field(
        default="OPENAI_API_KEY", description="Variable that holds the key of that address, if it wants one."
    )
    per_minute: float | None = Field(default=None, gt=0, description="Requests a minute to that address at most.")
    max_cost: float | None = Field(default=None, gt=0, description="What its answers may cost in all, with --price.")
    price: Annotated[Ends, Parameter(metavar="READ,WRITTEN", show_default=False)] = Field(
        default=(), description="Price of 1,000 tokens that it reads, and of 1,000 that it writes."
    )
    reveal: Switch = Field(
        default=False, description="Write what came out in full into the closed folder; all else tells it masked."
    )


class HardenSettings(Section):
    """Which defenses are held against each other."""

    defenses: Annotated[Texts, Parameter(name="--defense", show_default=False)] = Field(
        default=(),
        description="Defense with its settings, such as training/l2:strength=0.01; a + joins some that act together; "
        "may be repeated. Those that suit the recipe unless said.",
    )
    models: int | None = Field(
        default=None,
        ge=6,
        description="Models trained for each defense, an even number; by effort 8, 16 or 64 unless said.",
    )
    canaries: int | None = Field(
        default=None, ge=2, description="Records that get a wrong label; at most 300 and 15 % unless said."
    )
    inversion: Annotated[Texts, Parameter(name="--inversion", show_default=False)] = Field(
        default=(), description="Inversion attack to play against one model behind each defense."
    )
    recipe: str | None = Field(
        default=None, description="Your function that returns a trainer, as package.module:function, instead of MODEL."
    )
    out: Path | None = Field(default=None, description="Folder of the run; .keepmum/harden unless said.")
    export: Path | None = Field(
        default=None,
        description="New folder to write the model into that --row names, trained on all members, with defense.json.",
    )
    row: str | None = Field(
        default=None, description="Defense of the model that --export writes; the knee of the frontier unless said."
    )


class DpSettings(Section):
    """Which claim of differential privacy is audited, and how."""

    recipe: str | None = Field(
        default=None, description="Your function that returns a trainer, as package.module:function, instead of MODEL."
    )
    epsilon: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="The claim; of a private recipe its own unless said."
    )
    delta: float = Field(default=1e-5, ge=0, lt=1, description="Delta of the claim.")
    canaries: int = Field(default=1000, ge=50, description="Canaries that coins decide about.")
    guesses: int | None = Field(
        default=None,
        ge=1,
        description="Guesses about canaries, fixed beforehand; several numbers are looked at unless said, which costs "
        "power.",
    )
    runs: int | None = Field(
        default=None,
        ge=20,
        multiple_of=2,
        description="Also train so many models, every other one with one canary more: slow, and assumes the least.",
    )
    out: Path | None = Field(default=None, description="Folder to write dp-audit.json and dp-audit.md into.")
