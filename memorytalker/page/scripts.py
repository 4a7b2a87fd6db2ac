"""Scripts: the page's own JavaScript modules, served from this machine and started inside a component."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

from memorytalker.places import assets_folder

#: Where the page's JavaScript lies. `Blocks.launch` must be given it in `allowed_paths`.
_OWN_FOLDER = Path(__file__).resolve().parent / "static"
SCRIPTS_FOLDER = _OWN_FOLDER if _OWN_FOLDER.is_dir() else assets_folder("page")


def start_script(name: str, **options: Any) -> str:
    """A `js_on_load` for `gr.HTML` that loads the module `name` of `SCRIPTS_FOLDER` and mounts it in the component.

    The module exports `mount(element, options, tools)`, with `tools` of {props, trigger, watch} as Gradio gives them.
    Where it cannot be loaded, one plain sentence stands in the component.
    """
    address = json.dumps("/file=" + urllib.parse.quote((SCRIPTS_FOLDER / name).as_posix()))
    return f"""
const page = window.gradio_config ?? {{}};
const root = (page.root ?? new URL(".", document.baseURI).href).replace(/[/]$/, "");
import(root + (page.api_prefix ?? "/gradio_api") + {address}).then(
  (module) => module.mount(element, {json.dumps(options)}, {{ props, trigger, watch }}),
).catch((problem) => {{
  console.error(problem);
  element.textContent = "This part of the page could not be started; please load the page again.";
}});
"""
