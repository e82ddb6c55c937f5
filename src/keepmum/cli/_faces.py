"""The demo on faces: a recognizer is trained, and what it knows is drawn from it in three ways."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keepmum.cli._app import Exit, command
from keepmum.cli._film import film
from keepmum.cli._inputs import Case, cores
from keepmum.cli._terminal import Terminal
from keepmum.cli.audit import measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keepmum.data import Records
    from keepmum.findings import Finding
    from keepmum.runs import RunFolder
    from keepmum.settings import EffortSettings

SOURCES = {
    "drawn": "faces drawn by rule, of nobody",
    "orl": "AT&T (ORL) faces, credit AT&T Laboratories Cambridge",
}
SHAPE = (40, 32)
PRIVATE, PHOTOS = 25, 5
"""Persons that the model knows, of 40, and photos of each that it is trained on; as many more are held out."""
EPOCHS = 300
SHOWN = 8
"""Persons on the picture."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Photos by what becomes of them.

    Attributes:
      members: The model is trained on these.
      heldout: Other photos of the same people.
      public: Photos of other people, which the attacker has; the model knows none of them, so they have no labels.
      model: The recognizer: a network of one hidden layer.
    """

    members: Records
    heldout: Records
    public: Records
    model: Any


def demo_faces(data: str, folder: Path, how: EffortSettings, terminal: Terminal) -> int:
    """Train a recognizer, invert it with its weights, with its probabilities and with labels alone.

    Raises:
      MissingExtraError: The photos come with a package that is not installed.
    """
    from keepmum.runs import RunFolder

    with cores(how):
        terminal.say(f"Training a recognizer of {PRIVATE} persons, {PHOTOS} photos each ({SOURCES[data]}) …")
        faces = train(data, how.seed)
        attacks = ways()
        target, lacking = opened(faces.model)
        terminal.say("Drawing pictures of them from the model, with less and less access …")
        options = {
            "seed": how.seed,
            "effort": how.effort.value,
            "seconds": how.budget,
            "attacks": list(attacks.values()),
        }
        source = {"command": command(), "data": SOURCES[data], "model": "face recognizer"}
        case = Case(target, faces.members, faces.heldout, faces.public, source, {**options, "shadows": 0})
        report = measure(case, folder, terminal)
    kept = RunFolder(folder, "")
    took = kept.seconds()
    for way, attack in attacks.items():
        finding = report[attack.name]
        terminal.show(line(way, finding, lacking if finding.access == "gradients" else "", took.get(attack.name)))
    _pictures(kept, attacks, data, terminal)
    terminal.show(f"Report: {folder / 'report.html'}", whole=True)
    if terminal.options.json:
        terminal.data(report.to_json())
    return Exit.DONE


def load(data: str, seed: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Photos ``(400, 40, 32)`` from 0 to 1, and who is on each.

    Raises:
      MissingExtraError: The photos come with a package that is not installed.
    """
    from keepmum.datasets import load_orl, make_faces

    return load_orl(shape=SHAPE) if data == "orl" else make_faces(40, 2 * PHOTOS, SHAPE, seed)


def train(data: str, seed: int) -> Faces:
    """Divide persons and photos at random, and train the recognizer."""
    from sklearn.neural_network import MLPClassifier

    from keepmum.data import Records, as_population

    X, y = load(data, seed)
    rng = np.random.default_rng(seed)
    flat = X.reshape(len(X), -1).astype(np.float32)
    persons = rng.permutation(np.unique(y))
    photos = np.stack([rng.permutation(np.flatnonzero(y == person)) for person in persons])
    names = np.repeat(np.arange(PRIVATE), PHOTOS)
    inside, outside = photos[:PRIVATE, :PHOTOS].ravel(), photos[:PRIVATE, PHOTOS : 2 * PHOTOS].ravel()
    others = np.sort(photos[PRIVATE:].ravel())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may well stop before nothing is left to learn
        model = MLPClassifier((64,), max_iter=EPOCHS, random_state=seed).fit(flat[inside], names)
    public = as_population((flat[others], None))
    return Faces(Records(flat[inside], names), Records(flat[outside], names), public, model)


def ways() -> dict[str, Any]:
    """An attack for each kind of access."""
    from importlib.util import find_spec

    from keepmum.attacks.inversion.boundary import Boundary
    from keepmum.attacks.inversion.cmaes import Cmaes
    from keepmum.attacks.inversion.gradient import Gradient
    from keepmum.attacks.inversion.nes import Nes

    game: dict[str, Any] = {"persons": True, "shape": SHAPE}
    black_box = Cmaes if find_spec("cmaes") else Nes
    return {"white-box": Gradient(**game), "black-box": black_box(**game), "label-only": Boundary(**game)}


def opened(model: Any) -> tuple[Any, str]:
    """The recognizer as one whose gradients can be had, and what is lacking where they cannot."""
    from keepmum.errors import MissingExtraError
    from keepmum.targets import TorchTarget, from_sklearn

    try:
        return TorchTarget(_module(model), model.classes_), ""
    except MissingExtraError as err:
        return from_sklearn(model), str(err)


def _module(model: Any) -> Any:
    """The same network as scikit-learn's, in torch."""
    from keepmum.targets._tensors import import_torch

    torch = import_torch()
    layers: list[Any] = []
    with torch.no_grad():
        for weights, bias in zip(model.coefs_, model.intercepts_, strict=True):
            layer = torch.nn.Linear(*weights.shape)
            layer.weight.copy_(torch.as_tensor(weights.T))
            layer.bias.copy_(torch.as_tensor(bias))
            layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def line(way: str, finding: Finding, lacking: str = "", seconds: float | None = None) -> str:
    """What came of an attack, in one line; with how long the search for one picture took, if that is known."""
    if "identified" not in finding.metrics:
        outcome = finding.outcome.value.replace("_", " ")
        return f"{way}: {outcome}: {lacking or finding.reason}"
    found, without = (side["identified"].value for side in (finding.metrics, finding.baseline))
    asked = f"{finding.id.split('/')[1]}, {finding.queries:,} queries"
    asked += "" if seconds is None else f", {seconds:.2g} s a picture"
    return (
        f"{way}: {asked}: {finding.verdict}; recognizers that never saw the training photos name {found:.0%} of the "
        f"pictures right, {without:.0%} of the best without a search"
    )


def _pictures(kept: RunFolder, attacks: dict[str, Any], data: str, terminal: Terminal) -> None:
    """Put what was drawn side by side: faces of nobody beside the report, those of real people in the closed folder."""
    shown = {way: kept.pictures(attack.name) for way, attack in attacks.items()}
    made = {way: pictures for way, pictures in shown.items() if pictures is not None}
    if not made:
        return
    folder = kept.path
    place = folder / "restricted" if data == "orl" else folder
    draw(made, place / "faces.png")
    film(made, place / "faces.gif")
    terminal.show(f"Picture: {place / 'faces.png'}", whole=True)
    terminal.show(f"Film: {place / 'faces.gif'}", whole=True)
    terminal.show(f"Gallery: {folder / 'restricted' / 'gallery.html'}", whole=True)


def draw(made: dict[str, Any], place: Path) -> None:
    """One row for the photos trained on, one for each attack, one for the best picture without a search."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = next(iter(made.values()))
    rows = {
        "trained on": first.members,
        **{way: pictures.results for way, pictures in made.items()},
        "no search": first.controls,
    }
    columns = min(SHOWN, len(first.results))
    figure = Figure(figsize=(1.1 * columns + 0.9, 1.4 * len(rows)), dpi=64, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, (name, images) in zip(axes, rows.items(), strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for axis, image in zip(row, images, strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
    figure.savefig(place)
