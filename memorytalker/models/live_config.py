"""The configuration of the live network: what its weights say about themselves."""

from __future__ import annotations

from dataclasses import dataclass

from memorytalker.config import ConfigError, check_names, check_ranges
from memorytalker.phones import ENGLISH
from memorytalker.sound.live_mel import MelGrid

#: Seconds of look-ahead at the most, beyond which motion is not live any more.
LONGEST_LOOKAHEAD = 0.5


@dataclass(frozen=True)
class LiveConfig:
    """A live network. Symbols: n memory slots, S curves, T motion frames.

    Attributes:
        shapes: names of the S blendshapes that it predicts.
        slots: labels of the n slots, those of the model that it learned from.
        name: of the network.
        grid: where its mel frames lie in the sound; gives the rates and the look-ahead.
        channels: width of the causal convolutions.
        dilations: motion frames between the taps of each convolution.
        taps: of each convolution.
        width: of the text feature and of a slot.
        hidden: width of the decoder.
        scaling: multiplies logits before the softmax of an address.
    """

    shapes: tuple[str, ...]
    slots: tuple[str, ...] = ENGLISH.phones
    name: str = "live"
    grid: MelGrid = MelGrid()
    channels: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 1, 2, 4)
    taps: int = 3
    width: int = 64
    hidden: int = 128
    scaling: float = 16.0

    def __post_init__(self) -> None:
        """Raise ConfigError for sizes that no live network can have."""
        grid = self.grid
        check_ranges(
            grid, fps=(1, 240), per_frame=(1, 32), ahead=(1, 1000), bins=(2, 256), window=(16, 4096),
            transform=(16, 4096), release=(0, 100), quietest=(-100, 0), sample_rate=(16000, 16000),
        )  # fmt: skip
        check_ranges(
            self, channels=(1, 2048), dilations=(1, 256), taps=(1, 16), width=(1, 1024), hidden=(1, 2048),
            scaling=(1e-6, 1e6),
        )  # fmt: skip
        check_names(self, "shapes", fewest=1)
        check_names(self, "slots", fewest=2)
        if not 1 <= len(self.dilations) <= 64:
            raise ConfigError(f"LiveConfig.dilations has {len(self.dilations)} convolutions; give 1 to 64.")
        if grid.transform < grid.window or grid.transform & (grid.transform - 1):
            raise ConfigError(
                f"MelGrid.transform is {grid.transform}; choose a power of two from the window, {grid.window}, on."
            )
        if grid.lookahead > LONGEST_LOOKAHEAD:
            raise ConfigError(
                f"MelGrid.ahead looks {grid.lookahead:.2f} s ahead; choose at most {LONGEST_LOOKAHEAD:g} s."
            )

    @property
    def slot_count(self) -> int:
        """Number of memory slots, n."""
        return len(self.slots)

    @property
    def inputs(self) -> int:
        """Numbers that the network reads for one motion frame: mel frames and the level."""
        return self.grid.per_frame * self.grid.bins + 1
