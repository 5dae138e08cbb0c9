"""What the document's TF1 writers have written, and the comparison of TF1's histograms with those of TensorFlow 2."""

import collections
import re
from pathlib import Path

import numpy as np
import tensorflow as tf

CLOSE = 1e-5
STATES = 100  # steps between two records of the weights and of the optimizer


class Events:
    """The only event file of a TF1 writer.

    TensorFlow numbers a tag if an operation has the same name in another case, such as `mean_1` after `Mean`; here, tags
    are without the number. `names` maps them to those in the file.

    Attributes:
        steps: of the summaries, in order.
        scalars: tag -> values.
        histograms: tag -> `HistogramProto` of each step.
        images: the PNG files of each step.
    """

    def __init__(self, folder: Path):
        (file,) = folder.glob("events.out.tfevents.*")
        self.steps, self.images, self.names = [], [], {}
        self.scalars, self.histograms = collections.defaultdict(list), collections.defaultdict(list)
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            if not event.summary.value:
                continue
            self.steps.append(event.step)
            self.images.append([value.image.encoded_image_string for value in event.summary.value
                                if value.HasField("image")])
            for value in event.summary.value:
                tag = re.sub(r"_\d+$", "", value.tag)
                self.names[tag] = value.tag
                if value.HasField("simple_value"):
                    self.scalars[tag].append(value.simple_value)
                elif value.HasField("histo"):
                    self.histograms[tag].append(value.histo)


def check_histogram(buckets: np.ndarray, proto, values: np.ndarray | None, tag: str) -> None:
    """TF1 has buckets of exponential width, TensorFlow 2 has 30 equal ones: they are of the same values if the ends and the
    counts agree, and if between any two edges there are as many values (within the tolerance of an edge).

    buckets `[30, 3]` left, right, count; values: what TF1's histogram was of, or None.
    """
    left, right, counts = buckets.T
    np.testing.assert_allclose([left[0], right[-1]], [proto.min, proto.max], rtol=CLOSE, atol=CLOSE, err_msg=tag)
    assert counts.sum() == proto.num, tag
    if values is not None:
        below, margin, values = np.cumsum(counts), CLOSE * (1 + np.abs(right)), np.sort(np.ravel(values))
        fewest, most = np.searchsorted(values, right - margin, "left"), np.searchsorted(values, right + margin, "right")
        assert ((fewest <= below) & (below <= most)).all(), tag
