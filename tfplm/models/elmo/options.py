"""The sizes of an ELMo: what its `options.json` says."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from tfplm.core.suggest import did_you_mean
from tfplm.models.elmo.characters import CHARACTERS

FILE = "options.json"
_FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
# the models that were published; their sizes are those of Peters et al. 2018 and of AllenNLP's page
PRESETS: dict[str, dict[str, Any]] = {
    "elmo-small": {"units": 1024, "projection": 128, "highways": 1},
    "elmo-medium": {"units": 2048, "projection": 256, "highways": 1},
    "elmo-original": {"units": 4096, "projection": 512, "highways": 2},
}


@dataclasses.dataclass(frozen=True)
class ElmoOptions:
    """The sizes of an ELMo.

    Attributes:
        character_size: of the vector of a character.
        filters: pairs (width in characters, number of filters) of the convolutions.
        highways: number of highway layers.
        longest_word: in characters, with the two signs around a word.
        activation: "relu" or "tanh", of the convolutions.
        layers, units, projection: of the LSTM of each direction; `projection` is also the size of the word vectors.
        cell_clip, projection_clip: limits of absolute values, or None.
        skip_connections: each LSTM but the first adds its input to its output.
    """

    character_size: int = 16
    filters: tuple[tuple[int, int], ...] = _FILTERS
    highways: int = 2
    longest_word: int = 50
    activation: str = "relu"
    layers: int = 2
    units: int = 4096
    projection: int = 512
    cell_clip: float | None = 3.0
    projection_clip: float | None = 3.0
    skip_connections: bool = True

    def __post_init__(self):
        object.__setattr__(self, "filters", tuple((int(width), int(count)) for width, count in self.filters))
        if self.activation not in ("relu", "tanh"):
            raise ValueError(f"the activation is {self.activation!r}, expected 'relu' or 'tanh'")
        widest = max((width for width, _ in self.filters), default=0)
        if not self.filters or not 0 < widest <= self.longest_word or min(min(pair) for pair in self.filters) < 1:
            raise ValueError(f"filters is {list(self.filters)}, expected pairs of a width, at most {self.longest_word}, and "
                             "a number of filters")
        sizes = {name: getattr(self, name) for name in ("character_size", "layers", "units", "projection")}
        if min(sizes.values()) < 1 or self.highways < 0:
            raise ValueError(f"the sizes are {sizes}, highways is {self.highways}; expected positive numbers")

    @classmethod
    def preset(cls, name: str, **overrides) -> "ElmoOptions":
        """One of `PRESETS`. Raises ValueError for another name."""
        if name not in PRESETS:
            raise ValueError(f"there is no preset {name!r}; expected one of {', '.join(PRESETS)}"
                             f"{did_you_mean(name, PRESETS)}")
        return cls(**{**PRESETS[name], **overrides})

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> "ElmoOptions":
        """Reads AllenNLP's `options.json`. Raises ValueError for a file that is not one."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            lstm, cnn = data["lstm"], data["char_cnn"]
            if cnn.get("n_characters", CHARACTERS + 1) not in (CHARACTERS, CHARACTERS + 1):
                raise ValueError(f"n_characters is {cnn['n_characters']}, expected {CHARACTERS + 1}")
            return cls(cnn["embedding"]["dim"], cnn["filters"], cnn.get("n_highway", 0),
                       cnn.get("max_characters_per_token", 50), cnn.get("activation", "relu"), lstm.get("n_layers", 1),
                       lstm["dim"], lstm["projection_dim"], lstm.get("cell_clip"), lstm.get("proj_clip"),
                       lstm.get("use_skip_connections", False))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path} is no file of options ({what}); expected the JSON of AllenNLP, with 'lstm' and "
                             "'char_cnn'; fetch it again") from None

    def to_json(self) -> str:
        """The text of AllenNLP's `options.json`."""
        return json.dumps({
            "lstm": {"use_skip_connections": self.skip_connections, "projection_dim": self.projection,
                     "cell_clip": self.cell_clip, "proj_clip": self.projection_clip, "dim": self.units,
                     "n_layers": self.layers},
            "char_cnn": {"activation": self.activation, "filters": [list(pair) for pair in self.filters],
                         "n_highway": self.highways, "embedding": {"dim": self.character_size},
                         "n_characters": CHARACTERS + 1, "max_characters_per_token": self.longest_word}}, indent=1)
