"""Pictures of two or more heads beside each other, such as a prediction and the recorded truth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from memorytalker.rendering.renderer import RenderError


def side_by_side(*films: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Pictures (H, W1 + W2 + ..., 3) of `films`, iterators of pictures (H, W, 3), from left to right.

    One picture of each is held at a time. Ends with the films, and closes them when it is closed. Raises RenderError if
    they differ in height or in their number of pictures.
    """
    if not films:
        raise RenderError("There are no films to put side by side; give at least one.")
    return _beside(films)


def _beside(films: tuple[Iterator[np.ndarray], ...]) -> Iterator[np.ndarray]:
    with contextlib.ExitStack() as stack:
        for film in films:
            if hasattr(film, "close"):
                stack.callback(film.close)
        try:
            for pictures in zip(*films, strict=True):
                if len({len(picture) for picture in pictures}) > 1:
                    raise RenderError("Films side by side need pictures of one height.")
                yield np.hstack(pictures)
        except ValueError as error:
            if "zip()" not in str(error):
                raise
            raise RenderError("Films side by side need the same number of pictures.") from None
