"""Text samples of a model during training."""

from collections.abc import Sequence

import tensorflow as tf


def _cell(text) -> str:
    escaped = str(text).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return escaped.replace("\r", "").replace("\n", "<br>")


def text_samples(name: str, samples, step=None, header: Sequence[str] = ("input", "output")) -> None:
    """Writes text under `name`: one string, or a table.

    Args:
        samples: a string (Markdown), a list of strings, or a list of rows, such as (prompt, continuation) or
            (masked sentence, filled sentence); a table has as many columns as `header`.

    Characters with a meaning in Markdown or HTML, such as `<` in `<mask>` and `|`, are escaped.
    """
    if not tf.summary.should_record_summaries():
        return
    if not isinstance(samples, str):
        rows = [(row,) if isinstance(row, str) else tuple(row) for row in samples]
        columns = max(map(len, rows), default=1)
        titles = [*header, *[""] * columns][:columns] if columns > 1 else ["sample"]
        lines = [titles, ["---"] * columns, *[[*map(_cell, row), *[""] * (columns - len(row))] for row in rows]]
        samples = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    tf.summary.text(name, samples, step)
