"""Faces of people who do not exist, drawn by rule: for demos, tests and figures that show nobody."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.datasets import _face_parts as parts
from keepmum.datasets._canvas import Canvas
from keepmum.datasets._face_parts import Person, Shots
from keepmum.errors import ConfigError

Floats = NDArray[np.float64]

SMALLEST = 12
"""Fewest pixels a side: eyes and mouth of smaller faces run together."""
NOISE = 0.02
"""Standard deviation of the noise of each pixel."""


def make_faces(
    persons: int = 40, shots: int = 10, shape: tuple[int, int] = (40, 32), seed: int = 0
) -> tuple[Floats, NDArray[np.intp]]:
    """Draw gray faces of made-up people, several pictures of each.

    Every person has a head, skin, hair, eyes, brows, nose and mouth of their own, some a beard or glasses; from
    picture to picture the head moves and turns, light and expression change, and there is noise. A person of a seed
    is the same however many others, and however many pictures, are asked for.

    Args:
      persons: How many people.
      shots: Pictures of each.
      shape: Height and width in pixels, at least 12 each.
      seed: Another seed makes other people.

    Returns:
      ``X`` of shape ``(persons * shots, height, width)`` from 0 (black) to 1, and the person ``y`` of each picture,
      from 0 to ``persons - 1``, in order.

    Raises:
      ConfigError: A number out of range.
    """
    if persons < 1 or shots < 1:
        raise ConfigError(f"expected at least 1 person and 1 shot, got {persons} and {shots}: ask for more")
    if min(shape) < SMALLEST:
        raise ConfigError(f"expected faces of at least {SMALLEST}x{SMALLEST} pixels, got {shape}: ask for larger ones")
    X = np.concatenate([_pictures(seed, person, shots, shape) for person in range(persons)])
    return X, np.repeat(np.arange(persons, dtype=np.intp), shots)


def _pictures(seed: int, number: int, shots: int, shape: tuple[int, int]) -> Floats:
    """All pictures of one person."""
    person = _person(np.random.default_rng([seed, number, 0]))
    pictures = _drawn(person, _shots(np.random.default_rng([seed, number, 1]), shots), shape)
    noise = np.random.default_rng([seed, number, 2]).normal(0, NOISE, pictures.shape)
    return np.clip(pictures + noise, 0, 1)


def _drawn(person: Person, shots: Shots, shape: tuple[int, int]) -> Floats:
    """Pictures without noise, from the background to the glasses."""
    canvas = Canvas.blank(np.broadcast_to(shots.backdrop, (len(shots.right), *shape)).copy())
    face = canvas.moved(shots.right, shots.down + 0.04).turned(shots.roll, shots.scale)
    # Features move further than the outline of the head where it turns, and the nose furthest.
    front = face.moved(0.13 * shots.yaw, shots.nod)
    parts.shoulders(face, person)
    parts.head(face, person, shots)
    parts.beard(face, front, person)
    parts.eyes(front, person, shots)
    parts.nose(front.moved(0.07 * shots.yaw), person)
    parts.mouth(front, person, shots)
    parts.hair(face, person)
    if person.glasses:
        parts.glasses(front, person)
    return canvas.tones * (shots.light + shots.side_light * canvas.x + shots.top_light * canvas.y)


def _person(rng: np.random.Generator) -> Person:
    style = parts.STYLES[rng.integers(len(parts.STYLES))]
    shaven = style in parts.WITH_LOCKS or rng.random() < 0.5
    return Person(
        skin=rng.uniform(0.5, 0.88),
        width=rng.uniform(0.43, 0.56),
        height=rng.uniform(0.62, 0.74),
        taper=rng.uniform(0.05, 0.4),
        style=style,
        hair=float(rng.choice([0.05, 0.12, 0.22, 0.36, 0.75])) * rng.uniform(0.9, 1.1),
        hairline=rng.uniform(-0.46, -0.32),
        parting=float(rng.choice([-1, 1])) * rng.uniform(0.1, 0.3),
        eye_gap=rng.uniform(0.17, 0.245),
        eye_level=rng.uniform(-0.14, -0.02),
        eye_size=rng.uniform(0.08, 0.11),
        iris=rng.uniform(0.02, 0.3),
        brow_gap=rng.uniform(0.11, 0.17),
        brow_weight=rng.uniform(0.02, 0.055),
        brow_slant=rng.uniform(-0.35, 0.25),
        nose_length=rng.uniform(0.2, 0.32),
        nose_width=rng.uniform(0.055, 0.1),
        mouth_width=rng.uniform(0.13, 0.23),
        mouth_level=rng.uniform(0.32, 0.4),
        lips=rng.uniform(0.03, 0.07),
        fold=max(0.0, rng.uniform(-0.15, 0.2)),
        beard=0.0 if shaven else max(0.0, rng.uniform(-0.4, 0.9)),
        mustache=0.0 if shaven else max(0.0, rng.uniform(-0.5, 0.95)),
        glasses=rng.uniform(0.1, 0.135) if rng.random() < 0.3 else 0.0,
        clothes=rng.uniform(0.1, 0.9),
    )


def _shots(rng: np.random.Generator, shots: int) -> Shots:
    normal = np.clip(rng.normal(size=(shots, 13)), -2, 2)[:, :, None, None]
    return Shots(
        right=0.025 * normal[:, 0],
        down=0.02 * normal[:, 1],
        scale=1.12 + 0.02 * normal[:, 2],
        roll=0.04 * normal[:, 3],
        yaw=0.4 * normal[:, 4],
        nod=0.02 * normal[:, 5],
        smile=0.015 + 0.03 * normal[:, 6],
        mouth=np.clip(0.02 * normal[:, 7], 0, None),
        lids=1 - 0.15 * np.abs(normal[:, 8]),
        light=1 + 0.05 * normal[:, 9],
        side_light=0.12 * normal[:, 10],
        top_light=-0.06 + 0.05 * normal[:, 11],
        backdrop=0.55 + 0.04 * normal[:, 12],
    )
