"""Base class of objectives that classify tokens or texts."""

import keras

from tfplm.models.heads import SequenceClassificationHead, TokenClassificationHead
from tfplm.pretrain.objectives.objective import Objective, Part


class Classifier(Objective):
    """Uses the model's own classifier if that is the head to be saved, else an additional classifier.

    Subclasses set `head` (token_classification or sequence_classification), implement `class_names`, and add to the
    batch `NAME_labels`, int32 [B,T] (tokens) or [B] (texts), and for tokens `NAME_weights`, 0 or 1 [B,T].
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
    """An additional classifier of texts; it uses the first token if the model has no pooler."""

    def __init__(self, config, model, num_labels, **keywords):
        pooling = "first" if config.classifier_pooling == "pooler" and model.pooler is None \
            else config.classifier_pooling
        super().__init__(config.replace(classifier_pooling=pooling), model, num_labels, **keywords)
