"""A bounded memory of the latest packets, which one writer fills and many readers follow, each at its own place."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: Packets at the most: ten minutes at 30 frames per second.
LONGEST = 18_000


@dataclass(frozen=True)
class Taken:
    """Packets that a reader takes.

    Args:
        items: the packets, in order.
        place: the reader's next place.
        lost: packets that were forgotten before the reader came.
    """

    items: tuple[str, ...]
    place: int
    lost: int


class Ring:
    """Packets by their number, of which the latest are kept. The writer never waits for a reader.

    Args:
        longest: packets that are kept.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._items: deque[str] = deque(maxlen=longest)
        self._end = 0
        self._closed = False
        self._changed = threading.Condition()
        self._wakers: list[Callable[[], None]] = []

    @property
    def end(self) -> int:
        """The number of the next packet, at which a new reader begins."""
        return self._end

    @property
    def closed(self) -> bool:
        """Whether no packet will follow."""
        return self._closed

    def wake(self, waker: Callable[[], None]) -> None:
        """Call `waker` after each packet, and after the last; it must return at once."""
        self._wakers.append(waker)

    def put(self, item: str) -> None:
        """Add a packet; the oldest is forgotten where there are too many."""
        with self._changed:
            self._items.append(item)
            self._end += 1
            self._changed.notify_all()
        for waker in self._wakers:
            waker()

    def close(self) -> None:
        """Say that no packet will follow."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for waker in self._wakers:
            waker()

    def take(self, place: int, most: int = 64) -> Taken:
        """Take at most `most` packets from a reader's place on, those that are there, without waiting."""
        with self._changed:
            first = self._end - len(self._items)
            begin = max(place, first)
            items = tuple(self._items[k - first] for k in range(begin, min(begin + most, self._end)))
            return Taken(items, begin + len(items), begin - place)

    def wait(self, place: int, seconds: float) -> bool:
        """Wait until there is a packet at `place`, or none will follow, at most some seconds; whether there is."""
        with self._changed:
            self._changed.wait_for(lambda: self._end > place or self._closed, seconds)
            return self._end > place
