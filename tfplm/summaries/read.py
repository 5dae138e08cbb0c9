"""A reader of event files, for notebooks, tests and plots."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray


class EventFiles:
    """The content of the event files in the folder of a run. Raises FileNotFoundError if there are none."""

    def __init__(self, folder):
        if not any(Path(folder).glob("events.out.tfevents.*")):
            raise FileNotFoundError(f"{folder}: no event files; expected the folder of a summary writer, such as "
                                    "logs/mnist/DATE-TIME/train")
        # 0 keeps every point; the default keeps a sample
        self.accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0, "images": 0})
        self.accumulator.Reload()

    def tags(self, plugin: str | None = None) -> list[str]:
        """The tags in alphabetical order, of one plugin (`scalars`, `histograms`, `images`, `text`) or all."""
        names = self.accumulator.Tags()["tensors"]
        metadata = self.accumulator.SummaryMetadata
        return sorted(name for name in names if plugin in (None, metadata(name).plugin_data.plugin_name))

    def points(self, tag: str) -> tuple[np.ndarray, list[np.ndarray]]:
        """(steps int64 `[N]`, values): numbers, `[buckets, 3]` for histograms, or bytes for images and text."""
        if tag not in self.tags():
            raise KeyError(f"there is no tag {tag!r}; there are {', '.join(self.tags())}")
        events = self.accumulator.Tensors(tag)
        return np.array([event.step for event in events]), [make_ndarray(event.tensor_proto) for event in events]

    def scalars(self, tag: str) -> tuple[np.ndarray, np.ndarray]:
        """(steps int64 `[N]`, values float32 `[N]`)."""
        steps, values = self.points(tag)
        return steps, np.array(values, dtype=np.float32)

    def images(self, tag: str) -> list[np.ndarray]:
        """The images of a tag, uint8 `[H,W,C]`, in the order of the steps; the first one of each step."""
        _, values = self.points(tag)
        return [np.asarray(Image.open(io.BytesIO(value[2]))) for value in values]  # width, height, files

    def has_graph(self) -> bool:
        return bool(self.accumulator.Tags()["graph"])
