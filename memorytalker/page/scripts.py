"""The page's own JavaScript modules, served under an address that names their version."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

#: The page's JavaScript and style sheets.
SCRIPTS_FOLDER = Path(__file__).resolve().parent / "static"
#: Path of the scripts below the page's root; the version follows.
ROUTE = "/memorytalker-scripts"
#: What is served under an address never changes, so a browser need not ask again.
KEPT = "public, max-age=31536000, immutable"


def scripts_version(folder: Path = SCRIPTS_FOLDER) -> str:
    """The first 12 digits of the sha256 of all names and contents in `folder`.

    The version is part of the path, so modules imported by relative addresses are of the same version.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def scripts_route(folder: Path = SCRIPTS_FOLDER) -> Mount:
    """The route that serves `folder` in its present version, for `app_kwargs` of `Blocks.launch`.

    Other versions are answered with 404: a page that was loaded before an update must not mix both.
    """
    return Mount(f"{ROUTE}/{scripts_version(folder)}", KeptFiles(directory=folder), name="scripts")


class KeptFiles(StaticFiles):
    """Files of a folder whose address names their version, so that browsers keep them."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = KEPT
        return response


def start_script(name: str, **options: Any) -> str:
    """JavaScript that loads a module and mounts it in a `gr.HTML`, for its `js_on_load`.

    Args:
        name: file name in SCRIPTS_FOLDER; exports `mount(element, options, tools)`, where `tools` is Gradio's
            {props, trigger, watch}.
        **options: JSON values. Events that the module triggers must be among them, for Gradio finds the names of events
            in this text.

    Returns:
        The script; where the module cannot be loaded it shows a message in the component.
    """
    return f"""
{_import(name)}.then(
  (module) => module.mount(element, {json.dumps(options)}, {{ props, trigger, watch }}),
).catch((problem) => {{
  console.error(problem);
  element.textContent = "This part of the page could not be started; please load the page again.";
}});
"""


def call_script(name: str, function: str, *arguments: Any) -> str:
    """JavaScript that calls a function of a module, for `js` of an event or of `Blocks.launch`.

    Args:
        name: file name in SCRIPTS_FOLDER.
        function: an export of it.
        *arguments: JSON values, passed before Gradio's own.
    """
    given = "".join(f"{json.dumps(argument)}, " for argument in arguments)
    return f"(...values) => {_import(name)}.then((module) => module.{function}({given}...values))"


def _import(name: str) -> str:
    """A JavaScript expression: the promise of a module, relative to the page's root."""
    address = json.dumps(f"{ROUTE}/{scripts_version()}/{name}")
    root = '(window.gradio_config?.root ?? new URL(".", document.baseURI).href)'
    return f'import({root}.replace(/[/]$/, "") + {address})'
