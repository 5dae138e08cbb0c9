"""Models in the checkpoints of `tf.train.Checkpoint(model=model, ...)`, such as those of a training loop of one's own.

A model of this library saves its weights there by path and its configuration, so that it needs no other file.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from tfplm.core.checkpoints import Checkpoint
from tfplm.core.checkpoints.object_graph import ObjectGraph, read_object_graph
from tfplm.core.config import Config, read_json
from tfplm.core.weight_names import BACKBONE, Location, Names
from tfplm.families import registry
from tfplm.models.shapes import variable_shapes

DESCRIPTION = "tfplm_model"  # the name of the configuration among the objects of a model
_SHOWN = 4  # names of each kind in the message


class OwnNames(Names):
    """The table of checkpoints whose tensors have our paths as names."""

    def locations(self, path, layout, prefix, inner=1):
        return [Location((path,))]

    def known(self, layout, prefix):
        roots = "|".join(sorted(BACKBONE))
        return [("head", re.compile(rf"(?!(?:{roots})/).*")), *((root, re.compile(rf"{root}/.*")) for root in BACKBONE)]


class SavedObjects:
    """The model in an object checkpoint.

    Attributes:
        config, head, num_labels: as it was saved.
        checkpoint: its weights, with our paths as names.
        names: the table of these names.
    """

    def __init__(self, graph: ObjectGraph, node: int):
        try:
            values = json.loads(graph.state(graph.children(node)[DESCRIPTION]))
            self.config, self.head = Config.from_dict(values["config"]), values["head"]
            self.num_labels = int(values["num_labels"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{graph.prefix}: '{DESCRIPTION}' is not the description of a model ({error}); expected its "
                             "config, head and num_labels: is the file from a newer version?") from None
        tensors = graph.tensors(node)
        self.checkpoint = Checkpoint(graph.prefix, "tf1", {path: tensors[path] for path in variable_shapes(
            self.config, self.head, self.num_labels) if path in tensors})
        self.names = OwnNames(())


def read_objects(path: Path) -> SavedObjects | None:
    """The model in a checkpoint, given by its prefix or folder; None for a TF1 checkpoint, which has no objects.

    Raises ValueError if the objects are not one model of this library; the message lists missing names.
    """
    graph = read_object_graph(path)
    if graph is None:
        return None
    models = graph.holders(DESCRIPTION)
    if len(models) > 1:
        raise ValueError(f"{graph.prefix} has {len(models)} models; expected one: save the one that you need with "
                         "tf.train.Checkpoint(model=model), or restore them in a program with tf.train.Checkpoint")
    if not models:
        raise ValueError(f"{graph.prefix} is a checkpoint of other objects: {_lacking(path, graph)}; expected a model of "
                         "tfplm that was saved with tf.train.Checkpoint(model=model): load it with the library that wrote "
                         "it, and save it in Hugging Face's layout (save_pretrained)")
    return SavedObjects(graph, models[0])


def _lacking(path: Path, graph: ObjectGraph) -> str:
    """A description of the names in a foreign checkpoint, and of those that it lacks."""
    found = [name for name in graph.variables if not name.startswith(("optimizer/", "save_counter"))]
    missing, config = [DESCRIPTION], (path if path.is_dir() else path.parent) / "config.json"
    values = read_json(config) if config.is_file() else {}
    if values.get("model_type") in registry.families():
        missing += variable_shapes(registry.family(values["model_type"]).read_config(values))
    else:  # other names depend on the architecture
        missing += ["embeddings/word/embeddings"]
    return f"it has {_listed(found)}, but lacks {_listed(missing)}"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
