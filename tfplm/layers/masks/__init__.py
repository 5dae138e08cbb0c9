"""Attention masks: the keys to which each query can attend."""

from tfplm.layers.masks.bands import Band
from tfplm.layers.masks.policies import (
    banded,
    causal,
    causal_reverse,
    combine,
    padding,
    policy,
    prefix,
    reach,
    whole,
)

__all__ = ["Band", "banded", "causal", "causal_reverse", "combine", "padding", "policy", "prefix", "reach", "whole"]
