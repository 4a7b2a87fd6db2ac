"""The page as a script, for hosts that want one: `python app.py` serves it.

Everything is in `memorytalker.page`; `memorytalker page` serves the same from an installed package.
"""

from __future__ import annotations

import argparse

try:
    import spaces  # on a Space with borrowed GPUs this must come before torch; elsewhere it does nothing
except ImportError:
    spaces = None

from memorytalker.page.demo import create_demo, serve

__all__ = ["create_demo", "serve"]


def parsed_options() -> argparse.Namespace:
    """The command line of `python app.py`; host and port come from GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""
    parser = argparse.ArgumentParser(description="Serve the MemoryTalker page.")
    parser.add_argument("--weights", help="a folder or owner/name@commit; default: the shipped weights")
    parser.add_argument("--device", help="cuda, mps or cpu; default: the best there is")
    return parser.parse_args()


if __name__ == "__main__":
    from memorytalker import Talker

    options = parsed_options()
    # Before the launch: `spaces` moves the model to the borrowed GPU here.
    serve(Talker.from_pretrained(options.weights, device=options.device))
