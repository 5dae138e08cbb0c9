"""Methods of adaptation: freezing, frozen features, augmentation, replay, an auxiliary language model."""
