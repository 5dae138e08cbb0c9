"""Heat maps with labelled axes, drawn quickly: the axes once by matplotlib, the cells by NumPy."""

import functools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfplm.summaries.fonts import drawable

DPI = 100
MOST_LABELS = 24  # of more tokens, every second, third, ... is named


@functools.cache
def _colours(name: str) -> np.ndarray:
    return (colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)  # [256, 3]


def _every(labels) -> int:
    """1 if all labels are shown, 2 for every second, ..."""
    return -(-len(labels) // MOST_LABELS) or 1


class Heatmap:
    """Draws matrices `[T, S]` of one size with the same labels on the axes: rows are queries, columns are keys.

    Args:
        rows, columns: the tokens of the query and key axes; None numbers them.
        shape: (T, S), required if the tokens are None.
        colours: a matplotlib colour map for values from 0 to 1.
        room: maximum pixels of the cells in each direction.

    The images are uint8 `[height, width, 3]`, with the default room at most about 1200 pixels wide and high. At most 24
    tokens of an axis are named: of more, every second, third, ...
    """

    def __init__(self, rows: list[str] | None = None, columns: list[str] | None = None,
                 shape: tuple[int, int] | None = None, colours: str = "viridis", room: int = 1000):
        self.shape = tuple(shape or (len(rows), len(columns)))
        for labels, size, axis in ((rows, self.shape[0], "rows"), (columns, self.shape[1], "columns")):
            if labels is not None and len(labels) != size:
                raise ValueError(f"{len(labels)} labels for {size} {axis}; expected one for each")
        self.colours = _colours(colours)
        self.cell = max(2, min(22, room // max(self.shape)))  # pixels
        self._draw_frame(rows, columns)

    def _draw_frame(self, rows, columns) -> None:
        """Draws axes and labels once and stores the area of the cells."""
        high, wide = (size * self.cell for size in self.shape)
        left, top = (self._margin(labels) for labels in (rows, columns))
        right = bottom = 8
        height, width = high + top + bottom, wide + left + right
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
        axes.set(xlim=(0, self.shape[1]), ylim=(self.shape[0], 0))
        axes.xaxis.tick_top()
        for axis, labels, turn in ((axes.xaxis, columns, 90), (axes.yaxis, rows, 0)):
            if labels is None:
                continue
            every = _every(labels)
            texts, families = drawable(list(labels[::every]))
            axis.set_ticks(np.arange(0, len(labels), every) + 0.5, texts, rotation=turn, family=families,
                           fontsize=self._font_size(labels))
        canvas.draw()
        self.frame = np.asarray(canvas.buffer_rgba())[..., :3].copy()
        self.box = slice(top, top + high), slice(left, left + wide)

    def _margin(self, labels) -> int:
        if labels is None:
            return 40
        # a Chinese glyph is twice as wide as a Latin one
        longest = max((sum(1 + (ord(c) > 0x2E7F) for c in label) for label in labels[::_every(labels)]),
                      default=1)
        return int(14 + min(longest, 24) * self._font_size(labels) * DPI / 72 * 0.72)

    def _font_size(self, labels) -> float:
        """In points."""
        return max(5, min(10, self.cell * _every(labels) * 0.6))

    def draw(self, matrix) -> np.ndarray:
        """The image of a matrix `[T, S]` of values from 0 to 1."""
        matrix = np.nan_to_num(np.asarray(matrix, dtype=np.float32))
        if matrix.shape != self.shape:
            raise ValueError(f"the matrix has the shape {matrix.shape}; expected {self.shape}, one row and column per "
                             "token")
        cells = self.colours[(matrix.clip(0, 1) * 255).round().astype(np.uint8)]
        picture = self.frame.copy()
        picture[self.box] = cells.repeat(self.cell, axis=0).repeat(self.cell, axis=1)
        return picture


def titled_grid(pictures: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Pictures of one size, uint8 `[H,W,3]`, in rows and columns, each below its title."""
    columns = grid_columns(len(pictures))
    blank = np.full_like(np.concatenate([_title(titles[0], pictures[0].shape[1]), pictures[0]]), 255)
    panels = [np.concatenate([_title(title, picture.shape[1]), picture]) for title, picture in zip(titles, pictures)]
    panels += [blank] * (-len(panels) % columns)
    return np.concatenate([np.concatenate(panels[start:start + columns], axis=1)
                           for start in range(0, len(panels), columns)])


def grid_columns(count: int) -> int:
    """The number of columns of `titled_grid` for `count` pictures."""
    return math.ceil(math.sqrt(count))


@functools.lru_cache(256)
def _title(text: str, width: int) -> np.ndarray:
    """A line of text, uint8 `[22, width, 3]`."""
    figure = Figure(figsize=(width / DPI, 22 / DPI), dpi=DPI, facecolor="white")
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=10)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:22, :width, :3].copy()
