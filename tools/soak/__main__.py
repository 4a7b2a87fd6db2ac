"""The soak: broken files of every kind through every reader and over the page; each ends in one sentence, in time.

python -m tools.soak [--files 2000] [--seed 1] [--out runs/soak]

Every file is the same for the same seed and number. The result grows line by line in OUT/result.jsonl; the same command
goes on where it was broken off. Files that were not refused well are kept in OUT/wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from memorytalker.files import append_lines, read_lines
from tools.soak.page import PAGE
from tools.soak.reader import READ
from tools.soak.samples import KINDS, broken, write

#: What one file may take. Starting the reader is no part of it.
SECONDS, MEGABYTES, START_SECONDS = 5.0, 1000, 300.0
#: What the page does with a file that it has read may take longer.
WORK_SECONDS = 60.0
RESULT, WRONG = "result.jsonl", "wrong"


class Reader:
    """A process that reads files one by one; it is started again when it had to be ended."""

    def __init__(
        self, folder: Path, seconds: float = SECONDS, command: Sequence[str] = (), road: Sequence[str] = ()
    ) -> None:
        """Read with the readers of `reader.py`, over the `road` that it is told, or with another command like it."""
        own = (sys.executable, "-m", "tools.soak.reader", str(folder), str(MEGABYTES), *road)
        self._seconds, self._command = seconds, list(command or own)
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()

    def read(self, kind: str, path: Path) -> dict[str, Any]:
        """Return outcome, seconds and what was touched; an outcome that begins with WRONG is a failure."""
        process = self._running()
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"kind": kind, "path": str(path)}) + "\n")
            process.stdin.flush()
        try:
            answer = self._answers.get(timeout=self._seconds)
        except queue.Empty:
            self.close()
            return {"outcome": f"WRONG: not done after {self._seconds:g} s", "seconds": self._seconds, "touched": []}
        if not answer:
            code = process.wait()
            self.close()
            return {"outcome": f"WRONG: the process ended with {code}", "seconds": 0.0, "touched": []}
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._answers = queue.Queue()
            threading.Thread(target=_pass_on, args=(self._process, self._answers), daemon=True).start()
            if self._answers.get(timeout=START_SECONDS) != "ready\n":
                raise RuntimeError("The reader did not start.")
        return self._process


def _pass_on(process: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(line)
    answers.put("")


def soaked(files: int, seed: int, out: Path, command: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Read the files that OUT has no result of yet, and yield each result once it is written."""
    out.mkdir(parents=True, exist_ok=True)
    done = {row["number"] for row in results(out) if row["seed"] == seed}
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as name,
        contextlib.closing(Reader(Path(name), command=command)) as own,
        contextlib.closing(Reader(Path(name), WORK_SECONDS, command, [PAGE])) as page,
    ):

        def rows() -> Iterator[dict[str, Any]]:
            for number in (number for number in range(files) if number not in done):
                kind, file, data = broken(seed, number)
                path = write(Path(name), file, data)
                reader = page if kind.startswith(PAGE) else own
                row = {"seed": seed, "number": number, "kind": kind, **reader.read(kind, path)}
                if is_wrong(row):
                    (out / WRONG).mkdir(exist_ok=True)
                    (out / WRONG / f"{seed}-{number}{KINDS[kind][0]}").write_bytes(data)
                shutil.rmtree(path.parent, ignore_errors=True)
                yield row

        yield from append_lines(out / RESULT, rows())


def results(out: Path) -> list[dict[str, Any]]:
    """The results so far."""
    kinds = {"seed": int, "number": int, "kind": str, "outcome": str, "seconds": float}
    return read_lines(out / RESULT, kinds, growing=True) if (out / RESULT).is_file() else []


def is_wrong(row: dict[str, Any]) -> bool:
    """Whether a file was not refused well, or something else was touched."""
    late = row["outcome"] != READ and row["seconds"] > SECONDS
    return late or row["outcome"].startswith("WRONG") or bool(row["touched"])


def table(rows: list[dict[str, Any]]) -> str:
    """Lines of text: for each kind how many were read, refused and wrong, and the longest time."""
    lines = [f"{'kind':<12} {'files':>6} {'read':>6} {'refused':>8} {'wrong':>6} {'longest':>9}"]
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        counts = Counter("wrong" if is_wrong(row) else READ if row["outcome"] == READ else "refused" for row in own)
        longest = max((row["seconds"] for row in own), default=0.0)
        lines.append(
            f"{kind:<12} {len(own):6} {counts[READ]:6} {counts['refused']:8} {counts['wrong']:6} {longest:7.2f} s"
        )
    return "\n".join(lines)


def main() -> None:
    """Read, print a table, and exit with 1 if any file was not refused well."""
    parser = argparse.ArgumentParser(description="Read thousands of broken files of every kind.")
    parser.add_argument("--files", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed breaks them otherwise (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/soak"), help="for the result (default: %(default)s)")
    chosen = parser.parse_args()
    for row in soaked(chosen.files, chosen.seed, chosen.out):
        if is_wrong(row):
            print(f"{row['kind']} {row['seed']}-{row['number']}: {row['outcome']} {row['touched']}", flush=True)
    rows = [row for row in results(chosen.out) if row["seed"] == chosen.seed and row["number"] < chosen.files]
    print(table(rows))
    sys.exit(any(map(is_wrong, rows)))


if __name__ == "__main__":
    main()
