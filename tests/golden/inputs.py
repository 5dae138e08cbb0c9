"""The batch of a case: three rows of different lengths, padded on the right; the first row is full."""

import numpy as np

LENGTHS = (11, 7, 4)
DECODER_LENGTHS = (5, 9, 6)
CHOICES = 2


def make_inputs(config, case: dict, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The call arguments of the reference model by name, int32 (`perm_mask`, `target_mapping`: float32)."""
    if case["head"] == "multiple_choice":
        rows = [padded(config, case, rng, np.roll(LENGTHS, shift)) for shift in range(CHOICES)]
        return {key: np.stack([row[key] for row in rows], axis=1) for key in rows[0]}  # [B,C,T]
    batch = padded(config, case, rng, LENGTHS)
    if case["decoder"]:
        batch |= {f"decoder_{k}": v for k, v in padded(config, case, rng, DECODER_LENGTHS, decoder=True).items()}
    if case["memory"]:  # the layers' inputs at earlier positions, [M,B,H] each
        shape = (case["memory"], len(LENGTHS), config.d_model)
        batch |= {f"mems/{i}": rng.normal(0, 1, shape).astype(np.float32) for i in range(config.n_layer)}
    if case["permutation"]:
        batch |= permutation(batch["attention_mask"], rng)
    return batch


def padded(config, case: dict, rng: np.random.Generator, lengths, decoder: bool = False) -> dict[str, np.ndarray]:
    shape, special = (len(lengths), max(lengths)), {config.pad_token_id, getattr(config, "eos_token_id", None)}
    ids = rng.choice([i for i in range(config.vocab_size) if i not in special], size=shape)
    mask = (np.arange(shape[1]) < np.array(lengths)[:, None]).astype(np.int32)
    if decoder:
        ids[:, 0] = config.decoder_start_token_id
    elif case["eos"]:  # BART classifies at the last end-of-sequence token
        ids[np.arange(shape[0]), np.array(lengths) - 1] = config.eos_token_id
    ids = np.where(mask == 1, ids, config.pad_token_id or 0).astype(np.int32)
    batch = {"input_ids": ids, "attention_mask": mask}
    if case["types"] and not decoder:
        batch["token_type_ids"] = (rng.integers(0, case["types"], size=shape) * mask).astype(np.int32)
    if case["tasks"]:
        batch["task_type_ids"] = (rng.integers(0, case["tasks"], size=(shape[0], 1)) * mask).astype(np.int32)
    return batch


def permutation(mask: np.ndarray, rng: np.random.Generator, targets: int = 3) -> dict[str, np.ndarray]:
    """XLNet's two-stream arguments: a random factorisation order per row, the last three of it predicted."""
    rows, length = mask.shape
    order = np.stack([rng.permutation(length) for _ in range(rows)])
    rank = order.argsort(axis=1)
    perm_mask = (rank[:, :, None] <= rank[:, None, :]).astype(np.float32)  # [B,i,j] = 1: i may not see j
    mapping = np.zeros((rows, targets, length), np.float32)
    for row in range(rows):
        real = [p for p in order[row] if mask[row, p]]
        mapping[row, np.arange(targets), real[-targets:]] = 1
    return {"perm_mask": perm_mask, "target_mapping": mapping}
