"""Nothing is fetched from the model hub unless it is named down to the commit."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from memorytalker import WeightsError, hub, weights
from memorytalker.hub import HubAddress, HubError, fetch, hub_address

PACKAGE = Path(hub.__file__).parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[tuple, dict]]:
    """What the hub's library was asked for, in place of a download."""
    calls: list[tuple[tuple, dict]] = []

    def snapshot_download(*given: object, **named: object) -> str:
        calls.append((given, named))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    return calls


def test_the_commit_that_was_named_is_fetched_and_these_files_alone(asked: list, tmp_path: Path) -> None:
    assert weights.find_weights(f"someone/toy@{COMMIT}") == tmp_path
    ((given, named),) = asked
    assert given == ("someone/toy",)
    assert named == {"revision": COMMIT, "allow_patterns": ["config.json", "model.safetensors"]}


@pytest.mark.parametrize("revision", ["", "@", "@main", "@v1.0", f"@{COMMIT[:7]}", f"@{COMMIT}0", f"@{COMMIT}@main"])
def test_a_name_that_may_change_its_meaning_is_refused(asked: list, revision: str) -> None:
    with pytest.raises(WeightsError, match=r"its commit must be named, as in someone/toy@0123") as caught:
        weights.find_weights("someone/toy" + revision)
    assert "\n" not in str(caught.value) and not asked


@pytest.mark.parametrize("text", ["open", "a/b/c", "../there", "/abs/path", f"name@{COMMIT}", "", "owner/na me"])
def test_what_is_no_name_of_the_hub(text: str) -> None:
    assert hub_address(text) is None


def test_an_address_is_written_as_it_is_read() -> None:
    address = hub_address(f"some-one/a.model_2@{COMMIT}")
    assert address == HubAddress("some-one/a.model_2", COMMIT) and str(address) == f"some-one/a.model_2@{COMMIT}"


@pytest.mark.parametrize("error", [OSError("offline"), ValueError("no such repository")])
def test_the_hub_out_of_reach_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def snapshot_download(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(HubError, match=f"did not give it at commit {COMMIT} .*check name and") as caught:
        fetch(HubAddress("someone/toy", COMMIT), ["config.json"])
    assert "\n" not in str(caught.value)


def speech_of(calls: list) -> SimpleNamespace:
    """A model whose speech encoder notes what it is filled from."""
    speech = SimpleNamespace(
        pretrained_state=lambda *named: calls.append(named) or {}, load_pretrained=lambda state, origin: None
    )
    return SimpleNamespace(speech=speech, config=None)


def test_a_pretrained_encoder_is_fetched_at_its_commit(tmp_path: Path) -> None:
    calls: list = []
    weights.initialise_speech(speech_of(calls), f"someone/encoder@{COMMIT}")
    (tmp_path / "config.json").write_text("{}")
    weights.initialise_speech(speech_of(calls), tmp_path)
    with pytest.raises(WeightsError, match="its commit must be named"):
        weights.initialise_speech(speech_of(calls), "someone/encoder")
    assert calls == [("someone/encoder", COMMIT), (str(tmp_path), None)]


def test_the_encoders_pass_the_commit_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from memorytalker.models.speech import HubertSpeech, WhisperSpeech

    for name, encoder in (("HubertModel", HubertSpeech), ("WhisperModel", WhisperSpeech)):
        seen: dict = {}

        def refuse(source: str, revision: str | None = None, seen: dict = seen) -> None:
            seen[source] = revision
            raise OSError("offline")

        monkeypatch.setattr(f"transformers.{name}.from_pretrained", refuse)
        with pytest.raises(OSError, match="offline"):
            encoder.pretrained_state(None, "someone/encoder", COMMIT)
        assert seen == {"someone/encoder": COMMIT}


def test_every_encoder_that_settings_name_is_pinned() -> None:
    """Presets and plans that fetch an encoder from the hub say which commit of it."""

    def named(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["initialise_from"]] if value.get("initialise_from") else []
            return own + [name for item in value.values() for name in named(item)]
        return [name for item in value for name in named(item)] if isinstance(value, list) else []

    files = [json.loads(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.json")]
    addresses = [name for content in files for name in named(content) if "/" in name]
    assert len(addresses) == 3
    assert all(hub_address(name) is not None for name in addresses)
