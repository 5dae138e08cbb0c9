"""Layer-wise learning rates."""

import re
from collections.abc import Iterable

BLOCK = r"(?:^|/)(?:block|layer|layers)_(\d+)(?:/|$)"
EMBEDDINGS = r"embedding"


def layer_rates(paths: Iterable[str], decay: float, block: str = BLOCK, embeddings: str = EMBEDDINGS) -> list[float]:
    """Factors of the learning rate per variable: 1 above the blocks, `decay` in the top one, `decay**2` below it, ...

    Discriminative fine-tuning (Howard & Ruder 2018, section 3.2, with decay 1 / 2.6), also called layer-wise decay.

    Args:
        paths: paths of the variables, `[v.path for v in model.trainable_variables]`.
        decay: the factor from a block to the one below it.
        block: regular expression whose first group is the index of the block, counted from the bottom.
        embeddings: regular expression of the variables below the lowest block.
    """
    paths = list(paths)
    indices = [int(found.group(1)) if (found := re.search(block, path)) else None for path in paths]
    depth = 1 + max((index for index in indices if index is not None), default=-1)
    outside = [depth + 1 if re.search(embeddings, path) else 0 for path in paths]
    return [decay ** (power if index is None else depth - index) for index, power in zip(indices, outside)]
