"""Positions: position embeddings, and position schemes of attention layers (`PositionScheme`)."""

from tfplm.core.config import Config
from tfplm.layers.kinds import Kinds
from tfplm.layers.positions.bucketed import BucketedBias
from tfplm.layers.positions.embedded import LearnedPositions, SinusoidalPositions, sinusoid
from tfplm.layers.positions.rotary import Rotary, Turn
from tfplm.layers.positions.scheme import Positions, PositionScheme

__all__ = ["BucketedBias", "LearnedPositions", "Positions", "PositionScheme", "Rotary", "SinusoidalPositions", "Turn",
           "embedded_positions", "scheme_class", "schemes_of_layers", "sinusoid"]

SCHEMES: dict[str, type[PositionScheme]] = {"bucketed": BucketedBias, "rotary": Rotary}  # by `Config.position_type`


def embedded_positions(config: Config) -> LearnedPositions | None:
    """The position embeddings, an object with `embed(position_ids)`; None if the configuration has none."""
    kind = {"learned": LearnedPositions, "sinusoidal": SinusoidalPositions}.get(config.position_type)
    return kind and kind(config, name="position")


def scheme_class(config: Config) -> type[PositionScheme] | None:
    return SCHEMES.get(config.position_type)


def schemes_of_layers(config: Config) -> Kinds:
    """The scheme of each kind of layer, or None."""
    found = scheme_class(config)
    return Kinds([None] if found is None else found.of_layers(config))
