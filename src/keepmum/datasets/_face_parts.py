"""The parts of a drawn face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.datasets._canvas import Canvas

Floats = NDArray[np.float64]

WITH_LOCKS = ("long", "bun")
"""Hair styles of people who have no beard here."""
STYLES = ("bald", "receding", "cropped", "fringe", "parted", "parted", "curly", "long", "long", "bun")


@dataclass(frozen=True)
class Person:
    """What stays the same from picture to picture; lengths in half picture heights, tones from 0 (black) to 1."""

    skin: float
    width: float
    height: float
    taper: float
    style: str
    hair: float
    hairline: float
    parting: float
    eye_gap: float
    eye_level: float
    eye_size: float
    iris: float
    brow_gap: float
    brow_weight: float
    brow_slant: float
    nose_length: float
    nose_width: float
    mouth_width: float
    mouth_level: float
    lips: float
    fold: float
    beard: float
    mustache: float
    glasses: float
    clothes: float


@dataclass(frozen=True, eq=False)
class Shots:
    """What changes from picture to picture; each of shape ``(n, 1, 1)``."""

    right: Floats
    down: Floats
    scale: Floats
    roll: Floats
    yaw: Floats
    nod: Floats
    smile: Floats
    mouth: Floats
    lids: Floats
    light: Floats
    side_light: Floats
    top_light: Floats
    backdrop: Floats


def head_mask(face: Canvas, person: Person, grow: float = 0.0) -> Floats:
    """Where the head is: an ellipse that narrows toward the chin."""
    width = (person.width + grow) * (1 - person.taper * np.clip(face.y, 0, None) ** 1.5 / person.height)
    radius = np.abs(face.x / width) ** 2.3 + np.abs(face.y / (person.height + grow)) ** 2.3
    return face.inside((1 - radius ** (1 / 2.3)) * person.width)


def shoulders(face: Canvas, person: Person) -> None:
    """Clothes, neck and what of the hair hangs behind."""
    if person.style == "long":
        behind = np.where(face.y < 0, head_mask(face, person, 0.14), face.ellipse(0, 0.1, person.width + 0.13, 0.9))
        face.paint(behind, person.hair * 0.85)
    face.paint(face.ellipse(0, 1.25, 0.95, 0.52), person.clothes)
    neck = face.inside(person.width * 0.55 - np.abs(face.x)) * face.inside(0.85 - face.y) * face.inside(face.y - 0.3)
    face.paint(neck, person.skin * 0.72)


def head(face: Canvas, person: Person, shots: Shots) -> None:
    """Ears and the skin, darker toward the outline."""
    if person.style != "long":
        for side in (-1.0, 1.0):
            face.paint(face.ellipse(side * person.width * 1.02, 0.03, 0.06, 0.13), person.skin * 0.8)
    depth = (face.x / person.width + 0.35 * shots.yaw) ** 2 + 0.5 * (face.y / person.height) ** 2
    face.paint(head_mask(face, person), person.skin * (1.06 - 0.22 * depth))


def beard(face: Canvas, front: Canvas, person: Person) -> None:
    """Beard along the jaw and mustache, as dense as they are opaque and never lighter than the skin."""
    tone = min(person.hair, 0.7 * person.skin)
    if person.beard:
        jaw = head_mask(face, person, -0.01) * face.inside(face.y - 0.14 - 0.25 * (1 - np.abs(face.x) / person.width))
        face.paint(jaw * person.beard, tone)
    if person.mustache:
        level = person.mouth_level - 0.075 + 0.5 * front.x**2
        width = person.mouth_width * 1.05
        front.paint(front.line(level, -width, width, 0.075) * person.mustache, tone)


def eyes(face: Canvas, person: Person, shots: Shots) -> None:
    """Sockets, whites, irises, upper lids and brows."""
    level, size = person.eye_level, person.eye_size
    for side in (-1.0, 1.0):
        middle = side * person.eye_gap
        face.shade(face.ellipse(middle, level - 0.01, size * 1.7, size * 1.25) * 0.5, 0.72)
        opening = face.ellipse(middle, level, size, size * 0.62 * shots.lids)
        face.paint(opening, 0.93)
        gaze = middle + 0.03 * shots.yaw
        face.paint(opening * face.moved(gaze).ellipse(0, level, size * 0.58, size * 0.66), person.iris)
        face.paint(face.line(level - size * 0.55 * shots.lids, middle - size, middle + size, 0.03) * 0.8, 0.1)
        outward = side * (face.x - middle)
        brow = level - person.brow_gap + person.brow_slant * outward + 2.2 * outward**2
        ends = (middle - size * 1.45, middle + size * 1.45)
        face.paint(face.line(brow, *ends, person.brow_weight) * 0.9, person.hair * 0.8)


def nose(face: Canvas, person: Person) -> None:
    """A shadow along one side, the wings and the nostrils."""
    top, end, width = person.eye_level + 0.02, person.eye_level + person.nose_length, person.nose_width
    along = np.clip((face.y - top) / (end - top), 0, 1)
    between = face.inside(face.y - top) * face.inside(end - face.y)
    side = face.inside(0.02 - np.abs(face.x - width * (0.25 + 0.75 * along)))
    face.shade(side * between * 0.8, 0.72)
    ridge = face.inside(0.018 - np.abs(face.x + 0.1 * width))
    face.shade(ridge * between * 0.7, 1.15)
    face.shade(face.ellipse(0, end, width * 1.25, 0.045) * 0.75, 0.68)
    for sign in (-1.0, 1.0):
        face.paint(face.ellipse(sign * width * 0.6, end + 0.015, width * 0.3, 0.02) * 0.75, 0.1)


def mouth(face: Canvas, person: Person, shots: Shots) -> None:
    """Lips, the line between them bent by a smile, an open mouth, and the folds beside it."""
    width, level = person.mouth_width, person.mouth_level
    bent = level - shots.smile * (face.x / width) ** 2
    narrow = np.sqrt(np.clip(1 - (face.x / width) ** 2, 0, 1))
    gap = np.abs(face.y - bent)
    face.shade(face.inside(narrow * person.lips - gap) * face.inside(width - np.abs(face.x)), 0.72)
    opening = face.inside(narrow * (0.014 + shots.mouth) - gap) * face.inside(width - np.abs(face.x))
    face.paint(opening, 0.12)
    face.shade(face.ellipse(0, level + person.lips + 0.06, width * 0.6, 0.025) * 0.6, 0.8)
    if person.fold:
        for side in (-1.0, 1.0):
            start = person.nose_width + 0.05
            x = side * face.x - start - (face.y - 0.18) * 0.45
            between = face.inside(face.y - 0.18) * face.inside(level + 0.02 - face.y)
            face.shade(face.inside(0.02 - np.abs(x)) * between, 1 - 2 * person.fold)


def hair(face: Canvas, person: Person) -> None:
    """What of the hair is before and above the head."""
    if person.style == "bald":
        return
    line = _hairline(face, person)
    if person.style == "curly":
        wave = 0.02 * np.sin(14 * np.arctan2(face.y, face.x))
        above = face.ellipse(0, -0.3, person.width + 0.16, 0.5) * face.inside(line + wave - face.y)
    else:
        volume = {"cropped": 0.02, "receding": 0.02, "bun": 0.03, "long": 0.12}.get(person.style, 0.07)
        above = head_mask(face, person, volume) * face.inside(line - face.y)
    if person.style == "bun":
        face.paint(face.ellipse(0, -person.height - 0.06, 0.2, 0.15), person.hair * 0.9)
    strands = 1 + 0.12 * np.sin(17 * face.x + 5 * face.y) + 0.1 * (face.y + 0.5)
    face.paint(above, np.clip(person.hair * strands, 0, 1))


def _hairline(face: Canvas, person: Person) -> Floats:
    """Down to where hair reaches, by column."""
    across = face.x / person.width
    if person.style == "receding":
        return person.hairline - 0.12 + 0.75 * np.clip(np.abs(across) - 0.62, 0, None)
    if person.style == "fringe":
        return person.eye_level - person.brow_gap - 0.05 + 0.6 * np.clip(np.abs(across) - 0.8, 0, None)
    if person.style == "parted":
        away = np.abs(face.x - person.parting)
        return person.hairline - 0.12 + 0.55 * away + 0.8 * np.clip(np.abs(across) - 0.85, 0, None)
    if person.style == "long":
        return person.hairline - 0.1 + 2.6 * np.clip(np.abs(across) - 0.55, 0, None) ** 1.5 * 2
    drop = {"cropped": 0.5, "curly": 0.8, "bun": 0.35}[person.style]
    return person.hairline + drop * np.clip(np.abs(across) - 0.6, 0, None) - 0.05 * np.cos(3 * across)


def glasses(face: Canvas, person: Person) -> None:
    """Two rims and what joins them."""
    size = person.glasses
    for side in (-1.0, 1.0):
        middle = side * max(person.eye_gap, size + 0.02)
        rim = face.ellipse(middle, person.eye_level, size + 0.03, size * 0.85 + 0.03)
        lens = face.ellipse(middle, person.eye_level, size - 0.01, size * 0.85 - 0.01)
        face.paint(np.clip(rim - lens, 0, 1) * 0.9, 0.07)
        temple = (side * middle + size, person.width)
        ends = (temple[0], temple[1]) if side > 0 else (-temple[1], -temple[0])
        face.paint(face.line(person.eye_level - 0.02, *ends, 0.035) * 0.8, 0.1)
    face.paint(face.line(person.eye_level - 0.02, -0.06, 0.06, 0.04) * 0.9, 0.07)
