"""How long work reports its progress, and the bar that a terminal shows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: What long work calls as it goes: done, total (0: unknown), stage.
Progress = Callable[[int, int, str], None]


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A `progress(done, total, stage)` callback that draws one bar per stage, on a terminal only."""
    from tqdm import tqdm

    bar: Any = None
    shown = ""

    def report(done: int, total: int, stage: str) -> None:
        nonlocal bar, shown
        if stage != shown or bar is None or done < bar.n:
            if bar is not None:
                bar.close()
            bar, shown = tqdm(desc=stage, total=total, unit="frame", disable=None), stage
        bar.update(done - bar.n)

    try:
        yield report
    finally:
        if bar is not None:
            bar.close()
