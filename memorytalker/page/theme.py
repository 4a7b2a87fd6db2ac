"""The page's theme, and the settings with which it is served in public."""

from __future__ import annotations

import importlib.util
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from memorytalker.page.api_calls import NamedCalls
from memorytalker.page.cancel import CancelOfEndedRun
from memorytalker.page.examples import SPEECH_FOLDER
from memorytalker.page.head_files import heads_route
from memorytalker.page.limits import LARGEST_MEGABYTES
from memorytalker.page.live_files import live_route
from memorytalker.page.scripts import SCRIPTS_FOLDER, call_script, scripts_route
from memorytalker.page.upload_limit import UploadLimit

FONT = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "sans-serif",
)  # system fonts: nothing is fetched from another host
CODE_FONT = ("ui-monospace", "Consolas", "monospace")
#: Sessions whose component values Gradio keeps; each may hold a 3D head of megabytes until its visitor leaves.
SESSIONS_REMEMBERED = 100

#: One accent colour and greys. Every pair of text and background has a contrast of at least 4.5 : 1.
ACCENT = gr.themes.Color(
    name="sea", c50="#eef7f7", c100="#d6ecec", c200="#aedada", c300="#7fc2c3", c400="#4fa6a9", c500="#2f898d",
    c600="#226f74", c700="#1b5a5f", c800="#17484c", c900="#133b3f", c950="#0a2427",
)  # fmt: skip
GREYS = gr.themes.Color(
    name="slate", c50="#f6f8f9", c100="#eceff1", c200="#dbe1e5", c300="#c0c9cf", c400="#95a2ab", c500="#6b7983",
    c600="#515e68", c700="#36414a", c800="#222b33", c900="#171e25", c950="#10161c",
)  # fmt: skip


class Calm(gr.themes.Base):
    """The page's theme, light and dark."""

    def __init__(self) -> None:
        super().__init__(
            primary_hue=ACCENT, secondary_hue=ACCENT, neutral_hue=GREYS, font=FONT, font_mono=CODE_FONT,
            radius_size=gr.themes.sizes.radius_md, spacing_size=gr.themes.sizes.spacing_md,
        )  # fmt: skip
        super().set(
            **_both("body_background_fill", "#fafbfb", "*neutral_950"),
            **_both("body_text_color", "*neutral_900", "*neutral_100"),
            **_both("body_text_color_subdued", "*neutral_600", "*neutral_300"),
            **_both("background_fill_secondary", "*neutral_50", "*neutral_900"),
            **_both("block_background_fill", "white", "*neutral_900"),
            **_both("block_border_color", "*neutral_200", "*neutral_700"),
            **_both("block_label_background_fill", "*neutral_100", "*neutral_800"),
            **_both("block_label_text_color", "*neutral_700", "*neutral_100"),
            **_both("block_title_text_color", "*neutral_700", "*neutral_100"),
            **_both("block_title_background_fill", "transparent", "transparent"),
            **_both("block_info_text_color", "*neutral_600", "*neutral_300"),
            **_both("input_background_fill", "white", "*neutral_800"),
            **_both("input_border_color", "*neutral_400", "*neutral_500"),
            **_both("input_placeholder_color", "*neutral_600", "*neutral_300"),
            **_both("button_primary_background_fill", "*primary_700", "*primary_300"),
            **_both("button_primary_background_fill_hover", "*primary_800", "*primary_200"),
            **_both("button_primary_text_color", "white", "*neutral_950"),
            **_both("button_secondary_background_fill", "*neutral_100", "*neutral_700"),
            **_both("button_secondary_background_fill_hover", "*neutral_200", "*neutral_600"),
            **_both("button_secondary_text_color", "*neutral_900", "*neutral_100"),
            **_both("checkbox_background_color", "white", "*neutral_800"),
            **_both("checkbox_background_color_selected", "*primary_700", "*primary_600"),
            **_both("checkbox_border_color", "*neutral_500", "*neutral_400"),
            **_both("checkbox_border_color_selected", "*primary_700", "*primary_300"),
            **_both("checkbox_label_background_fill", "*neutral_100", "*neutral_800"),
            **_both("checkbox_label_background_fill_hover", "*neutral_200", "*neutral_700"),
            **_both("checkbox_label_background_fill_selected", "*primary_100", "*primary_900"),
            **_both("checkbox_label_text_color", "*neutral_900", "*neutral_100"),
            **_both("checkbox_label_text_color_selected", "*primary_900", "*primary_100"),
            **_both("slider_color", "*primary_700", "*primary_300"),
            **_both("link_text_color", "*primary_700", "*primary_300"),
            **_both("link_text_color_hover", "*primary_800", "*primary_200"),
            **_both("link_text_color_visited", "*primary_700", "*primary_300"),
            color_accent="*primary_600",
            **_both("border_color_accent", "*primary_700", "*primary_300"),
            **_both("color_accent_soft", "*primary_100", "*primary_900"),
            block_border_width="1px", input_border_width="1px", input_shadow="none", input_radius="*radius_md",
            block_title_padding="0", block_shadow="none", block_label_shadow="none",
            button_large_text_weight="600", button_primary_shadow="none", button_secondary_shadow="none",
        )  # fmt: skip


def _both(name: str, light: str, dark: str) -> dict[str, str]:
    return {name: light, name + "_dark": dark}


def launch_options() -> dict[str, Any]:
    """Keyword arguments of `Blocks.launch`: the theme, and the settings of a public page."""
    guards = [Middleware(CancelOfEndedRun), Middleware(UploadLimit), Middleware(NamedCalls)]
    return {
        "theme": Calm(), "js": call_script("page.js", "start"), "css_paths": sorted(SCRIPTS_FOLDER.glob("*.css")),
        "max_file_size": f"{LARGEST_MEGABYTES}mb",
        "show_error": False, "run_history": False, "enable_monitoring": False, "footer_links": ["api", "settings"],
        "ssr_mode": False, "allowed_paths": [str(SPEECH_FOLDER)],
        "app_kwargs": {"routes": [scripts_route(), heads_route(), live_route()], "middleware": guards},
        "state_session_capacity": SESSIONS_REMEMBERED,
        # Agents may call the named endpoints where Gradio's extra for them, gradio[mcp], is installed.
        "mcp_server": importlib.util.find_spec("mcp") is not None,
    }  # fmt: skip
