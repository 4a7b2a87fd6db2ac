"""Photograph the page: `python tools/page/screenshots.py` makes the three images of README, with the shipped model.

`--all FOLDER` takes every tab instead, in both themes, at desktop and at phone width.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from tools.page.browser import ROOT, Site, Visit, chromium, served
from tools.page.readme_assets import FOLDER, write_list

CLIP = ROOT / "assets" / "speech" / "woman_farming.wav"
ANIMATE, COMPARE, ABOUT = "Animate", "How accurate is it?", "About"
WIDTHS = {"desktop": 1280, "phone": 390}
MOMENT = 0.55  # seconds into the clip: the mouth and the eyes are open


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every tab in both themes and widths")
    parser.add_argument("--script", type=Path, default=ROOT / "app.py", help="what serves the page; default: app.py")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        place = Path(folder)
        with served(options.script, place) as site, chromium(driver, place, CLIP) as browser:
            if options.all:
                options.all.mkdir(parents=True, exist_ok=True)
                for theme in ("light", "dark"):
                    photograph_all(browser, site, theme, options.all)
            else:
                photograph_for_readme(browser, site)


def photograph_for_readme(browser: Any, site: Site) -> None:
    """assets/readme/animate.webp, memory.webp and compare.webp, and the list of files there."""
    visit = Visit(browser, site, width=1440, height=860)
    animate(visit)
    settle(visit, "#studio")
    keep(visit.page.screenshot(), FOLDER / "animate.webp")
    settle(visit, "#memory")
    keep(visit.page.screenshot(), FOLDER / "memory.webp")
    compare(visit)
    settle(visit, "#compare-video")
    keep(visit.page.screenshot(), FOLDER / "compare.webp")
    visit.close()
    write_list()


def photograph_all(browser: Any, site: Site, theme: str, folder: Path) -> None:
    """Take every tab from top to bottom, before and after it shows a result."""
    visit = Visit(browser, site, dark=theme == "dark")
    photograph(visit, folder, theme, "animate_empty")
    animate(visit)
    photograph(visit, folder, theme, "animate")
    visit.tab(COMPARE)
    photograph(visit, folder, theme, "compare_empty")
    compare(visit)
    photograph(visit, folder, theme, "compare")
    visit.tab(ABOUT)
    photograph(visit, folder, theme, "about")
    print(*visit.faults, sep="\n")
    visit.close()


def photograph(visit: Visit, folder: Path, theme: str, name: str) -> None:
    """Take the whole tab at both widths."""
    for device, width in WIDTHS.items():
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.page.evaluate("scrollTo(0, 0)")
        visit.page.wait_for_timeout(700)
        path = folder / f"{name}_{device}_{theme}.png"
        visit.page.screenshot(path=path, full_page=True)
        print(path)
    visit.page.set_viewport_size({"width": WIDTHS["desktop"], "height": 900})


def animate(visit: Visit) -> None:
    """Animate the first example, and stop playback at a telling moment."""
    visit.page.click("#examples button >> nth=0")
    visit.video("video")
    visit.page.evaluate(
        "detail => document.dispatchEvent(new CustomEvent('memorytalker:seek', {detail}))",
        {"channel": "animate", "seconds": MOMENT},
    )


def compare(visit: Visit) -> None:
    """Set the first bundled clip beside its ground truth."""
    visit.tab(COMPARE)
    visit.press("compare-run")
    visit.video("compare-video")
    visit.page.evaluate("time => { document.querySelector('#compare-video video').currentTime = time }", MOMENT)


def settle(visit: Visit, selector: str) -> None:
    """Bring an element to the top of the window and give images time to appear."""
    visit.page.evaluate("selector => document.querySelector(selector).scrollIntoView()", selector)
    visit.page.wait_for_timeout(1500)


def keep(image: bytes, path: Path) -> None:
    """Write a small image file."""
    Image.open(io.BytesIO(image)).convert("RGB").save(path, quality=82, method=6)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
