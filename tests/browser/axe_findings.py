"""What axe-core finds on a page as it stands, in both themes."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

#: What a theme can break by itself: it is colours alone, chosen by a class of the page's body.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
THEME = "document.body.classList.toggle('dark')"


def findings(page: Any, *parts: str) -> list[str]:
    """What axe-core calls serious or critical, with the places: every rule in the page's theme, colours in the other.

    parts: selectors of what is looked at; none: the whole page.
    """
    found = _serious(page, parts, {})
    page.evaluate(THEME)
    found += _serious(page, parts, {"runOnly": COLOURS})
    page.evaluate(THEME)
    return found


def _serious(page: Any, parts: tuple[str, ...], options: dict[str, Any]) -> list[str]:
    page.wait_for_timeout(100)
    # A button that was just given back still changes its colour.
    page.wait_for_function(
        "document.getAnimations().every((one) => one.playState !== 'running'"
        " || one.effect.getComputedTiming().endTime === Infinity)"
    )
    # Gradio's own short notices hold a button in a button; what they say stands in the page as well.
    context: dict[str, Any] = {"exclude": [[".toast-wrap"]]}
    if parts:
        context["include"] = [[part] for part in parts]
    # Places are wanted of what is wrong alone: to name those of all that is right takes longest.
    response = Axe().run(page, context=context, options={"resultTypes": ["violations"], **options}).response
    return [
        f"{one['impact']}: {one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes']]}"
        for one in response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
