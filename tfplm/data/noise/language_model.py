"""Targets of autoregressive language models and of decoders."""

from typing import Literal

import numpy as np


def predict_next(batch: dict, rng: np.random.Generator | None = None, vocabulary=None,
                 direction: Literal["left-to-right", "right-to-left"] = "left-to-right") -> dict:
    """Adds `labels [B,T]` and `label_weights [B,T]` (1 for positions with a label).

    Left to right (GPT), the label is the next token, and the model may attend only to the past; right to left, it is
    the previous token, and the model may attend only to the future. Nothing here is random.
    """
    ids, real = batch["input_ids"], batch["attention_mask"]
    labels, weights = np.zeros_like(ids), np.zeros_like(real)
    if direction == "left-to-right":
        labels[:, :-1], weights[:, :-1] = ids[:, 1:], real[:, 1:]
    elif direction == "right-to-left":
        labels[:, 1:], weights[:, 1:] = ids[:, :-1], real[:, 1:]
    else:
        raise ValueError(f"direction {direction!r}: expected left-to-right or right-to-left")
    result = {key: value for key, value in batch.items() if key not in ("word_starts", "sentence_ids")}
    return result | {"labels": labels * weights, "label_weights": weights}


def teacher_forcing(targets: np.ndarray, weights: np.ndarray, start: int) -> dict:
    """Inputs and labels of a decoder, from targets [B,S] and weights [B,S] (1 = real).

    `decoder_input_ids` are the targets shifted right by one, after the start token.
    """
    shifted = np.full_like(targets, start)
    shifted[:, 1:] = targets[:, :-1]
    return {"decoder_input_ids": shifted * weights, "decoder_attention_mask": weights, "labels": targets * weights,
            "label_weights": weights}
