"""How the named endpoints describe themselves: a type, a unit, a default and a sentence for each parameter.

Gradio makes a schema of types alone and numbers the parameters. What it leaves out is added here, so that somebody who
sees only the page of the endpoints, or a program that reads their schemas, can call them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from memorytalker.page.gradio_private import describe_components


@dataclass(frozen=True)
class Parameter:
    """What one parameter of an endpoint, or one part of its answer, is.

    Args:
        words: what it does, in a sentence, with its unit.
        choices: all values it takes; empty: as its type says.
        lowest: smallest number accepted; None: no bound.
        highest: largest number accepted; None: no bound.
    """

    words: str
    choices: Sequence[str] = ()
    lowest: float | None = None
    highest: float | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """What is added to its JSON schema; Gradio shows the last key beside the type."""
        bounds = {"minimum": self.lowest, "maximum": self.highest}
        words = {"description": self.words, "additional_description": self.words}
        return {key: bound for key, bound in bounds.items() if bound is not None} | words


def publish(
    endpoint: Callable[..., Any], takes: Mapping[str, Parameter], gives: Mapping[str, Parameter], **how: Any
) -> None:
    """Publish a function as the endpoint of its name; call this inside the Blocks.

    Args:
        endpoint: its docstring says what it does; without "Args", which is made of `takes`.
        takes: parameter -> what it is, for all parameters that a caller gives.
        gives: part of the answer -> what it is, in order.
        how: keyword arguments of `gr.api`.
    """
    for name, parameter in takes.items():
        if parameter.choices:
            choice: Any = Literal[tuple(parameter.choices)]
            optional = type(None) in getattr(endpoint.__annotations__[name], "__args__", ())
            endpoint.__annotations__[name] = choice | None if optional else choice
    words = " ".join((endpoint.__doc__ or "").split())
    endpoint.__doc__ = described(words, takes, gives)  # which agents read
    dependency = gr.api(endpoint, api_name=endpoint.__name__, api_description=words, **how)
    describe_components(dependency, [(name, one.schema) for name, one in (*takes.items(), *gives.items())])


def described(words: str, takes: Mapping[str, Parameter], gives: Mapping[str, Parameter]) -> str:
    """The docstring of an endpoint, one line for each parameter: Gradio reads no further line."""
    lines = [words, ""]
    for title, parts in (("Args:", takes), ("Returns:", gives)):
        lines += [title, *(f"    {name}: {parameter.words}" for name, parameter in parts.items())] if parts else []
    return "\n".join(lines)
