"""Emoji prediction (DeepMoji, Felbo et al. 2017)."""

from tfplm.data.text.emoji import emoji_classes, emoji_examples
from tfplm.pretrain.objectives.classifier import Classifier


class EmojiPrediction(Classifier):
    """`emoji`: predicts the emoji that the writer put into a text; the corpus consists of texts with emoji."""

    name, help = "emoji", "the emoji that the writer put into a text (DeepMoji), on texts with emoji"
    head, packing = "sequence_classification", "labelled"
    classes_of, examples_of = staticmethod(emoji_classes), staticmethod(emoji_examples)

    @classmethod
    def class_names(cls, of_corpus):
        return of_corpus
