"""The model hub: downloads are pinned to a commit, because the files behind a name may change.

An address is written "owner/name@commit", with the 40 hexadecimal digits of a commit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from memorytalker.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubError(InputError):
    """A download from the model hub that failed; the message is one plain sentence that names the remedy."""


@dataclass(frozen=True)
class HubAddress:
    """A repository of models at one commit."""

    name: str  # owner/name
    commit: str  # 40 hexadecimal digits

    def __str__(self) -> str:
        return f"{self.name}@{self.commit}"


def hub_address(text: str) -> HubAddress | None:
    """Parse an address; None if `text` is not one. Raises HubError for a name without a commit."""
    name, _, commit = text.partition("@")
    if _NAME.fullmatch(name) is None:
        return None
    if _COMMIT.fullmatch(commit) is None:
        raise HubError(
            f"There is no local folder {name!r}, and to fetch it from the model hub its commit must be named, as in "
            f"{name}@0123456789abcdef0123456789abcdef01234567; the hub's page of the model lists its commits."
        )
    return HubAddress(name, commit)


def fetch(address: HubAddress, files: Sequence[str]) -> Path:
    """Return the local folder with `files` of that commit, downloading them if need be. Raises HubError."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(address.name, revision=address.commit, allow_patterns=list(files)))
    except (OSError, ValueError) as error:
        raise HubError(
            f"There is no local folder {address.name!r} and the model hub did not give it at commit "
            f"{address.commit} ({type(error).__name__}); check name and commit, or the connection."
        ) from None
