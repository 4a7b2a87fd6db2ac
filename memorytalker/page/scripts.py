"""Scripts: the page's own JavaScript modules, served from this machine under an address that names their version."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

#: Where the page's JavaScript and style sheets lie.
SCRIPTS_FOLDER = Path(__file__).resolve().parent / "static"
#: Path of the scripts below the page's own; the version follows it.
ROUTE = "/memorytalker-scripts"
#: Under one address there is one content for ever, so a browser need not ask again.
KEPT = "public, max-age=31536000, immutable"


def scripts_version(folder: Path = SCRIPTS_FOLDER) -> str:
    """The first 12 digits of the sha256 of all names and contents in `folder`.

    The version is part of the path, so modules that import each other by relative addresses, and the style sheet of the
    player, are of one version too.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def scripts_route(folder: Path = SCRIPTS_FOLDER) -> Mount:
    """What serves the files of `folder` in their present version; `Blocks.launch` takes it in `app_kwargs`.

    Another version is answered with 404: a page that was loaded before an update must not get half of the new one.
    """
    return Mount(f"{ROUTE}/{scripts_version(folder)}", _Kept(directory=folder), name="scripts")


class _Kept(StaticFiles):
    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = KEPT
        return response


def start_script(name: str, **options: Any) -> str:
    """A `js_on_load` for `gr.HTML` that loads the module `name` of `SCRIPTS_FOLDER` and mounts it in the component.

    The module exports `mount(element, options, tools)`, with `tools` of {props, trigger, watch} as Gradio gives them.
    Where it cannot be loaded, one plain sentence stands in the component. Events that it triggers must be named in
    `options`, for Gradio knows only those that it finds in this text.
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
    """A `js` for `Blocks.launch` or an event that calls `function` of the module `name` of `SCRIPTS_FOLDER`.

    `arguments`, values of JSON, come before those that Gradio gives.
    """
    given = "".join(f"{json.dumps(argument)}, " for argument in arguments)
    return f"(...values) => {_import(name)}.then((module) => module.{function}({given}...values))"


def _import(name: str) -> str:
    """An expression of JavaScript: the promise of a module, wherever the page is served."""
    address = json.dumps(f"{ROUTE}/{scripts_version()}/{name}")
    root = '(window.gradio_config?.root ?? new URL(".", document.baseURI).href)'
    return f'import({root}.replace(/[/]$/, "") + {address})'
