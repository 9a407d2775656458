"""Goals as vectors: an embedder of the caller's, or letters in common. The usual way (``words``) needs neither.

An embedder gives whole numbers, so that points stay the same to the byte wherever the vectors are; how they were made
(a language model, a service) is the caller's business, and so is that the same text gives the same vector.
"""

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Final, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.matching.engine.arrays import I8, Meaning
from services.matching.engine.configuration import TERMS, Configuration, InvalidConfiguration
from services.matching.engine.words import fold

LETTERS: Final = "letters"
LENGTH: Final = 127
"""Of a vector: the inner product of two that say the same is the square of it."""
_MOST_DIMENSIONS: Final = 4_096
_MOST_LETTERS: Final = 4_000
_DIMENSIONS: Final = 256


class Embedder(Protocol):
    """Texts to vectors: each text for itself, whoever the others are."""

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int8]:
        """[texts, dimensions], each row scaled to a length of 127 and rounded; zeros for nothing said."""
        ...


def letters(texts: Sequence[str]) -> NDArray[np.int8]:
    """Three letters in a row, hashed: finds words within words (compounds, endings) that stems do not see."""
    vectors = np.zeros((len(texts), _DIMENSIONS), np.int8)
    known: dict[str, list[int]] = {}
    for number, text in enumerate(texts):
        folded = fold(text[:_MOST_LETTERS])
        if folded:
            if folded not in known:
                known[folded] = _letters_of(folded)
            vectors[number] = known[folded]
    return vectors


def _letters_of(text: str) -> list[int]:
    counts = [0] * _DIMENSIONS
    padded = f" {text} "
    for at in range(len(padded) - 2):
        hashed = crc32(padded[at : at + 3].encode())
        counts[hashed % _DIMENSIONS] += 1 if hashed >> 31 else -1
    length = isqrt(sum(count * count for count in counts))
    return [0] * _DIMENSIONS if length == 0 else [_rounded(LENGTH * count, length) for count in counts]


def _rounded(value: int, by: int) -> int:
    return max(-LENGTH, min(LENGTH, (2 * value + by) // (2 * by)))


class Meanings:
    """The vectors of a run's goals; none when goals are compared by terms."""

    def __init__(self, configuration: Configuration, embedders: Mapping[str, Embedder] | None = None) -> None:
        """Raises :class:`InvalidConfiguration` for an embedder that nobody gave."""
        known: dict[str, Embedder] = {LETTERS: letters, **(embedders or {})}
        self.name = configuration.embedder
        if self.name != TERMS and self.name not in known:
            raise InvalidConfiguration([f"There is no embedder {self.name!r}."])
        self._embed = None if self.name == TERMS else known[self.name]
        full = LENGTH * LENGTH
        self._floor = full * configuration.embedder_floor // 100
        self._span = full - self._floor
        self._most = configuration.weights.goals_most

    def of(self, texts: Sequence[str], width: int | None = None) -> I8:
        """[texts, dimensions]; *width* is what another side had. Raises :class:`InvalidConfiguration` when the embedder
        gives something else."""
        if self._embed is None:
            return np.zeros((len(texts), 0), np.int8)
        vectors = np.asarray(self._embed(texts)) if texts else np.zeros((0, width or 0), np.int8)
        if (
            vectors.dtype != np.int8
            or vectors.ndim != 2
            or len(vectors) != len(texts)
            or vectors.shape[1] > _MOST_DIMENSIONS
            or (width is not None and vectors.shape[1] != width)
        ):
            asked = f"[{len(texts)}, {'dimensions' if width is None else width}] of int8"
            raise InvalidConfiguration(
                [
                    f"The embedder {self.name!r} gave {list(vectors.shape)} of {vectors.dtype} instead of {asked}."
                ]
            )
        silent = np.array([not text.strip() for text in texts], bool)
        return np.ascontiguousarray(np.where(silent[:, None], np.int8(0), vectors))

    def between(self, mentees: I8, mentors: I8) -> Meaning:
        """Vectors of the two sides, [people, dimensions] each, as the kernel takes them."""
        width = mentors.shape[1] if len(mentors) else mentees.shape[1]
        wide = mentees if mentees.shape[1] == width else np.zeros((len(mentees), width), np.int8)
        return Meaning(wide, mentors, self._floor, self._span, self._most)
