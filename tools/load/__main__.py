"""Load and faults through the real server; exit code 1 where anything went wrong.

python -m tools.load [--visitors 20] [--jobs 200] [--no-faults] [--only "disk full"] [--script app.py]

Visitors come at once, each asks for its share of the jobs, one after the other, and checks that the answer is its own.
Then the server is broken in every way that tools/load/faults.py knows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tools.load.faults import FAULTS, broken
from tools.load.visitors import come, described, left_behind, problems
from tools.page.browser import ROOT, Site, served
from tools.page.held import held, settled


def main() -> None:
    """Parse the command line, do what it says, and print what came of it."""
    parser = argparse.ArgumentParser(description="Load and faults through the real server.")
    parser.add_argument("--visitors", type=int, default=20, help="at once (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=200, help="of all together; 0: none (default: %(default)s)")
    parser.add_argument("--faults", action=argparse.BooleanOptionalAction, default=True, help="break the server, too")
    parser.add_argument("--only", default="", choices=FAULTS, help="this fault alone")
    parser.add_argument("--script", type=Path, default=ROOT / "app.py", help="what serves the page; default: app.py")
    chosen = parser.parse_args()
    wrong = False
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        if chosen.jobs:
            (Path(name) / "load").mkdir()
            with served(chosen.script, Path(name) / "load") as site:
                wrong |= loaded(site, chosen.visitors, chosen.jobs)
        if chosen.faults:
            (Path(name) / "faults").mkdir()
            for fault, said in broken(chosen.script, Path(name) / "faults", chosen.only):
                print(f"{fault}: {said or 'as it should be, and the next job succeeded'}", flush=True)
                wrong |= bool(said) and not said.startswith("Not tried")
    sys.exit(wrong)


def loaded(site: Site, visitors: int, jobs: int) -> bool:
    """Let visitors come and print what they saw; return whether anything went wrong."""
    come(site.url, 1, 2)  # what is made once, such as the network's first buffers
    before, began = settled(site), time.monotonic()
    asked = come(site.url, visitors, max(1, jobs // visitors))
    print(f"{described(asked)}; {time.monotonic() - began:.0f} s in all")
    wrong = problems(asked)
    for line in wrong[:20]:
        print(f"  {line}")
    time.sleep(2)
    settled(site, before)  # idle threads end
    after, left = held(site), left_behind(site.folder)
    print(f"  before {before.threads} threads, {before.processes} processes, {before.memory / 1e6:.0f} MB")
    print(f"  after  {after.threads} threads, {after.processes} processes, {after.memory / 1e6:.0f} MB")
    print(f"  left behind: {', '.join(left[:5]) or 'nothing'}", flush=True)
    return bool(wrong or left or after.processes > before.processes)


if __name__ == "__main__":
    main()
