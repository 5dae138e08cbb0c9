"""Relations between two segments: next sentence (BERT), sentence order (ALBERT), or both (StructBERT)."""

import keras

from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.initializers import kernel_initializer
from tfplm.pretrain.objectives.objective import Objective, Part


class RelationHead(keras.layers.Layer):
    """Pooled first token -> dropout -> logits float32 [B,classes]; `own_pooler` adds a pooler if the model has none."""

    def __init__(self, config, classes: int, own_pooler: bool, **keywords):
        super().__init__(**keywords)
        size, initializer = config.hidden_size, kernel_initializer(config, config.hidden_size)
        self.pooler = Dense(size, size, "tanh", name="relation_pooler", kernel_initializer=initializer) \
            if own_pooler else None
        self.dropout = Dropout(config.head_dropout, name="dropout")
        self.relation = Dense(size, classes, name="relation", kernel_initializer=initializer)
        self.built = True

    def call(self, features, training=False):
        pooled = features["pooled_output"] if self.pooler is None else self.pooler(features["sequence_output"][:, 0])
        return keras.ops.cast(self.relation(self.dropout(pooled, training=training)), "float32")


class NextSentence(Objective):
    """`nsp`: predicts whether the second segment follows the first or is from another document (Devlin et al. 2019,
    section 3.1)."""

    name, help = "nsp", "whether the second segment follows the first (BERT)"
    head, packing, in_bert_records, classes = "pretraining", "next", True, 2

    def parts(self):
        return [Part(self.name, "next_sentence_labels", None, self.classes, self.factor)]

    def build(self, model):
        self.own = model.head_name != "pretraining" or self.classes != model.num_labels
        if self.own:
            self.layers = [RelationHead(model.config, self.classes, model.pooler is None, name=self.name)]
            if model.head_name == "pretraining":
                model.head.next_sentence.trainable = False  # it has other classes: nothing trains it here

    def predict(self, forward):
        if self.own:
            logits = self.layers[0](forward.features, training=forward.training)
        else:
            logits = forward.head()["next_sentence"]
        return {self.name: (logits, forward.batch["next_sentence_labels"], None)}


class SentenceOrder(NextSentence):
    """`sop`: predicts whether two segments are in order or swapped (Lan et al. 2020, section 3.1)."""

    name, help = "sop", "whether two segments are in order or swapped (ALBERT)"
    packing = "order"


class SentenceOrder3(NextSentence):
    """`sop3`: predicts whether two segments are in order, swapped, or from two documents (StructBERT, Wang et al. 2020,
    section 2.3)."""

    name, help = "sop3", "whether two segments are in order, swapped, or from two documents (StructBERT)"
    packing, classes = "order3", 3
