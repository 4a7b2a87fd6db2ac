"""Progress reports of long work, and a progress bar for terminals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: Called as progress(done, total, stage); a total of 0 is unknown.
Progress = Callable[[int, int, str], None]


def announce(line: str) -> None:
    """Print a line at once, also where the output is a file that somebody watches."""
    print(line, flush=True)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a `Progress` callback that draws one bar per stage on standard error, if that is a terminal."""
    from tqdm import tqdm

    bar: Any = None
    current = ""

    def report(done: int, total: int, stage: str) -> None:
        nonlocal bar, current
        if stage != current or bar is None or done < bar.n:
            if bar is not None:
                bar.close()
            bar, current = tqdm(desc=stage, total=total, unit="frame", disable=None), stage
        bar.update(done - bar.n)

    try:
        yield report
    finally:
        if bar is not None:
            bar.close()
