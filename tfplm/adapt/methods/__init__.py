"""Ways to adapt a model: freezing, frozen features, replay, an auxiliary language model."""
