"""Learning rates that differ from layer to layer."""

import re
from collections.abc import Iterable

BLOCK = r"(?:^|/)(?:block|layer|layers)_(\d+)(?:/|$)"
EMBEDDINGS = r"embedding"


def layer_rates(paths: Iterable[str], decay: float, block: str = BLOCK, embeddings: str = EMBEDDINGS) -> list[float]:
    """Factor of the learning rate per variable: 1 above the blocks, `decay` in the top one, `decay**2` below it, ...

    Discriminative fine-tuning (Howard & Ruder 2018, 3.2, where decay is 1 / 2.6), also called layer-wise decay.

    Args:
        paths: paths of the variables, `[v.path for v in model.trainable_variables]`.
        decay: the factor from a block to the one below it.
        block: expression whose first group is the block's number, counted from the bottom.
        embeddings: expression of what lies under the lowest block.
    """
    paths = list(paths)
    numbers = [int(found.group(1)) if (found := re.search(block, path)) else None for path in paths]
    depth = 1 + max((number for number in numbers if number is not None), default=-1)
    lowest = [depth + 1 if re.search(embeddings, path) else 0 for path in paths]
    return [decay ** (low if number is None else depth - number) for number, low in zip(numbers, lowest)]
