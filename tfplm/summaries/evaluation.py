"""Images of evaluation results: confusion matrices and precision-recall curves."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfplm.summaries.fonts import drawable

DPI, CURVES_DPI = 150, 100
MOST_LABELS = 96  # classes; with more, the axes show numbers
MOST_NUMBERS = 24  # classes; with more, the cells are too small for their counts
MOST_CURVES = 10  # the number of distinct colours


def _picture(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _count(number) -> str:
    return f"{number:.4g}" if number < 10_000 else f"{number / 1000:.3g}k" if number < 1e6 else f"{number / 1e6:.3g}M"


def confusion_image(matrix, labels: Sequence[str] | None = None) -> np.ndarray:
    """Draws a confusion matrix, uint8 `[H,W,3]`, with the count in each cell and its share of the row as colour.

    The label of a row has the number of its examples, the title that of all examples and the accuracy.

    Args:
        matrix: counts `[C,C]`; rows are the labels, columns the predictions.
        labels: the names of the classes; None numbers them. Chinese names need a font, see `tfplm.summaries.fonts`.

    Counts are shown for up to 24 classes, names for up to 96. Raises ValueError for a matrix that is not square or does
    not match the labels.
    """
    matrix = np.asarray(matrix)
    size = len(matrix) if matrix.ndim else 0
    names = [str(index) for index in range(size)] if labels is None else [str(label) for label in labels]
    if matrix.shape != (size, size) or len(names) != size:
        raise ValueError(f"the confusion matrix has the shape {matrix.shape} and {len(names)} labels; expected a square "
                         "matrix and a label for each row")
    if not size or not (matrix >= 0).all() or np.isinf(matrix).any():
        raise ValueError(f"the confusion matrix has {size} classes, and cells from {matrix.min() if size else 0} on; "
                         "expected counts of one or more classes, 0 or more: pass counts")
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals[:, None], 1)
    cell = min(0.5, 6.3 / size)  # inches
    names, families = drawable(names)
    rows = [f"{name} ({_count(total)})" for name, total in zip(names, totals)]
    wide = 0.1 if len(families) == 1 else 0.16
    texts, counts = (0.0, 0.0) if size > MOST_LABELS else (wide * min(20, max(map(len, names))), 0.9)
    side = 1.0 + texts + size * cell
    figure = Figure(figsize=(max(side + counts + 0.6, 3.4), side + 0.3), dpi=DPI, facecolor="white",
                    layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the label")
    axes.set(xlabel="predicted", ylabel="label")
    accuracy = np.trace(matrix) / max(totals.sum(), 1)
    figure.suptitle(f"{totals.sum():,.0f} examples, accuracy {accuracy:.2%}", fontsize=10)
    if size <= MOST_LABELS:
        letters = {"family": families, "fontsize": min(10, max(5, cell * 36))}
        axes.set_xticks(np.arange(size), names, rotation=90 if max(map(len, names)) > 2 else 0, **letters)
        axes.set_yticks(np.arange(size), rows, **letters)
    if size <= MOST_NUMBERS:
        for row, column in np.ndindex(size, size):
            axes.text(column, row, _count(matrix[row, column]), ha="center", va="center", fontsize=min(8, cell * 20),
                      color="white" if shares[row, column] > 0.5 else "black")
    return _picture(figure)


def precision_recall_image(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> np.ndarray:
    """Draws precision-recall curves, uint8 `[H,W,3]`, with the average precision of each in the legend.

    Args:
        curves: name -> (precision, recall), from the highest threshold to the lowest, as returned by
            `tfplm.training.metrics.PrecisionRecallCurves.curves`. Only the worst ten are drawn.
    """
    areas = {}
    for name, (precision, recall) in curves.items():
        if len(precision) != len(recall):
            raise ValueError(f"the curve of {name} has {len(precision)} values of precision and {len(recall)} of recall; "
                             "expected equally many of both")
        areas[name] = float(np.diff(recall, prepend=0) @ np.asarray(precision))
    chosen = sorted(areas, key=areas.get)[:MOST_CURVES]
    figure = Figure(figsize=(6.4, 5.2), dpi=CURVES_DPI, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01), xlabel="recall", ylabel="precision")
    axes.grid(alpha=0.3)
    texts, families = drawable([f"{name} ({areas[name]:.3f})" for name in chosen])
    for name, text in zip(chosen, texts):
        precision, recall = curves[name]
        axes.step([0, *recall], [*precision[:1], *precision], where="pre", label=text, linewidth=1.5)
    if chosen:
        title = "average precision" + ("" if len(chosen) == len(areas) else f", worst {MOST_CURVES} of {len(areas)}")
        axes.legend(title=title, prop={"family": families, "size": 9}, loc="lower left")
    return _picture(figure)


def write_confusion(name: str, matrix, labels: Sequence[str] | None = None, step=None) -> None:
    """Writes `confusion_image(matrix, labels)` under `name` to the current default writer."""
    if tf.summary.should_record_summaries():
        tf.summary.image(name, confusion_image(matrix, labels)[np.newaxis], step)


def write_precision_recall(name: str, curves: Mapping[str, tuple], step=None) -> None:
    """Writes `precision_recall_image(curves)` under `name` to the current default writer."""
    if tf.summary.should_record_summaries():
        tf.summary.image(name, precision_recall_image(curves)[np.newaxis], step)
