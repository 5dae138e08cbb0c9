"""Tagging of each token with its position in the word, as in word segmentation."""

from tfplm.data.noise import WORD_TAGS, tag_words
from tfplm.pretrain.objectives.classifier import Classifier


class Tagging(Classifier):
    """`tagging`: predicts the position of each token in its word (first, middle, last, single) or listed phrase."""

    name, help = "tagging", "the position of each token in its word (first, middle, last, single)"

    @classmethod
    def class_names(cls, of_corpus):
        return WORD_TAGS

    def noise(self, batch, rng):
        tagged = tag_words(self.with_phrases(batch), rng, self.setting.vocabulary)
        return {**batch, "tagging_labels": tagged["labels"], "tagging_weights": tagged["label_weights"]}
