"""Objectives with classes: tags of words, and the emoji of a text."""

import keras

from tfplm.data.noise import WORD_TAGS, tag_words
from tfplm.models.heads import SequenceClassificationHead, TokenClassificationHead
from tfplm.pretrain.objectives.objective import Objective, Part


class Tagging(Objective):
    """`tagging`: each token says its place in its word (begin, middle, end, single), or in a listed phrase."""

    name, head = "tagging", "token_classification"

    def parts(self):
        return [Part("tagging", "tag_labels", "tag_weights", len(WORD_TAGS), self.factor)]

    def noise(self, batch, rng):
        tagged = tag_words(self.with_phrases(batch), rng, self.setting.vocabulary)
        return {**batch, "tag_labels": tagged["labels"], "tag_weights": tagged["label_weights"]}

    def build(self, model):
        self.own = model.head_name != "token_classification"
        if self.own:
            self.layers = [TokenClassificationHead(model.config, model, len(WORD_TAGS), name="tagging")]

    def predict(self, forward):
        batch = forward.batch
        logits = self.layers[0](forward.features, batch, training=forward.training) if self.own else forward.head()
        return {"tagging": (logits, batch["tag_labels"], batch["tag_weights"])}


class EmojiPrediction(Objective):
    """`emoji`: which emoji did the writer of this text put into it? (DeepMoji, Felbo et al. 2017)"""

    name, head, packing = "emoji", "sequence_classification", "labelled"

    def parts(self):
        return [Part("emoji", "emoji_labels", None, len(self.setting.emoji), self.factor)]

    def build(self, model):
        self.own = model.head_name != "sequence_classification"
        if self.own:
            self.layers = [EmojiHead(model.config, model, len(self.setting.emoji), name="emoji")]

    def predict(self, forward):
        batch = forward.batch
        logits = self.layers[0](forward.features, batch, training=forward.training) if self.own else forward.head()
        return {"emoji": (logits, batch["emoji_labels"], None)}


@keras.saving.register_keras_serializable("tfplm")
class EmojiHead(SequenceClassificationHead):
    """The classifier beside another head, from the first token where the model has no pooler."""

    def __init__(self, config, model, num_labels, **keywords):
        pooling = "first" if config.classifier_pooling == "pooler" and model.pooler is None \
            else config.classifier_pooling
        super().__init__(config.replace(classifier_pooling=pooling), model, num_labels, **keywords)
