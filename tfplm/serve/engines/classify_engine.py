"""The engine of classes: texts or pairs in, labels with their scores out."""

from typing import TYPE_CHECKING

from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.catalogue import Folder
from tfplm.serve.engines.engine import Engine, EngineInfo

if TYPE_CHECKING:
    from tfplm.serve.engines.text_task import Input, TextTaskModel

_FUNCTIONS = {"classification": "softmax", "multi-label": "sigmoid", "regression": "none"}  # logits to scores, by task


def suits(folder: Folder) -> bool:
    """Whether `--engine auto` chooses classes for this folder."""
    return folder.task in ("classification", "multi-label", "regression") or folder.classifies


class ClassifyEngine(Engine["Input", list[dict]]):
    """Gives for each text or pair all labels, the likeliest first: `[{"label": "pos", "score": 0.98}, ...]`.

    Scores are probabilities: over all labels of a classification, and of each label by itself where a text has several.
    A regression has the one label `LABEL_0` with the predicted number, as in `transformers`.
    """

    def __init__(self, model: "TextTaskModel"):
        self.model = model
        names = ["LABEL_0"] if model.task.labels is None else model.task.labels.names
        self.info = EngineInfo(interfaces=("tasks",), output_bytes=sum(8 + len(name.encode()) for name in names),
                               settings={"function_to_apply": _FUNCTIONS[model.task.name]},
                               parameters=model.parameters, warm_seconds=model.warm_seconds)

    def encode(self, inputs: list["Input"]) -> list[list[dict]]:
        return [_labels(each.prediction) for each in self.model.predict(inputs)]


def _labels(prediction: dict) -> list[dict]:
    from tfplm.serve.engines.text_task import require_finite

    scores = prediction.get("probabilities") or {"LABEL_0": prediction["value"]}
    require_finite(list(scores.values()))
    return [{"label": name, "score": score} for name, score in sorted(scores.items(), key=lambda item: -item[1])]


def make_engine(options: ServeOptions, number: int = 0) -> ClassifyEngine:
    """Loads the model of worker `number` onto its device, and compiles it."""
    from tfplm.serve.engines.text_task import open_text_task

    return ClassifyEngine(open_text_task(options, number))
