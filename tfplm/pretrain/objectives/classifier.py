"""The base of objectives with classes, of tokens or of texts."""

import keras

from tfplm.models.heads import SequenceClassificationHead, TokenClassificationHead
from tfplm.pretrain.objectives.objective import Objective, Part


class Classifier(Objective):
    """Learns by the classifier of the model, where that is saved, or by one of its own beside another head.

    Subclasses set `head`, token_classification or sequence_classification, write `class_names`, and put into the batch
    `NAME_labels`, int32 [B,T] or [B], and `NAME_weights`, 0 and 1 [B,T]; none for texts.
    """

    head = "token_classification"

    @property
    def classes(self) -> tuple[str, ...]:
        return self.class_names(self.setting.classes)

    def parts(self):
        weights = f"{self.name}_weights" if self.head == "token_classification" else None
        return [Part(self.name, f"{self.name}_labels", weights, len(self.classes), self.factor)]

    def build(self, model):
        known = tuple((model.config.id2label or {}).values())
        self.own = model.head_name != self.head or known != self.classes
        if self.own:
            kind = TokenClassificationHead if self.head == "token_classification" else OwnSequenceHead
            self.layers = [kind(model.config, model, len(self.classes), name=self.name)]

    def predict(self, forward):
        (part,), batch = self.parts(), forward.batch
        logits = self.layers[0](forward.features, batch, training=forward.training) if self.own else forward.head()
        return {self.name: (logits, batch[part.labels], None if part.weights is None else batch[part.weights])}


@keras.saving.register_keras_serializable("tfplm")
class OwnSequenceHead(SequenceClassificationHead):
    """The classifier beside another head, from the first token where the model has no pooler."""

    def __init__(self, config, model, num_labels, **keywords):
        pooling = "first" if config.classifier_pooling == "pooler" and model.pooler is None \
            else config.classifier_pooling
        super().__init__(config.replace(classifier_pooling=pooling), model, num_labels, **keywords)
