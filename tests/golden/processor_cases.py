"""Distributions after the logits processors of sampling and of repetition rules."""

import numpy as np
import torch
from transformers.generation import logits_process as p

LOGITS = np.round(np.random.default_rng(5).normal(0, 2, (3, 13)), 3).astype(np.float32)
HISTORY = [[1, 2, 3, 1, 2], [4, 4, 4, 4, 4], [5, 6, 7, 5, 12]]

CHAINS = {  # name: (arguments of generate, processors in the reference's order)
    "temperature": ({"temperature": 0.7}, [p.TemperatureLogitsWarper(0.7)]),
    "top_k": ({"top_k": 4}, [p.TopKLogitsWarper(4)]),
    "top_k_1": ({"top_k": 1}, [p.TopKLogitsWarper(1)]),
    "top_k_above_vocabulary": ({"top_k": 50}, [p.TopKLogitsWarper(50)]),
    "top_p": ({"top_p": 0.8}, [p.TopPLogitsWarper(0.8)]),
    "top_p_small": ({"top_p": 0.05}, [p.TopPLogitsWarper(0.05)]),
    "min_p": ({"min_p": 0.15}, [p.MinPLogitsWarper(0.15)]),
    "typical_p": ({"typical_p": 0.6}, [p.TypicalLogitsWarper(0.6)]),
    "temperature_top_k_top_p": ({"temperature": 1.6, "top_k": 6, "top_p": 0.75},
                                [p.TemperatureLogitsWarper(1.6), p.TopKLogitsWarper(6), p.TopPLogitsWarper(0.75)]),
    "repetition_penalty": ({"repetition_penalty": 1.5}, [p.RepetitionPenaltyLogitsProcessor(1.5)]),
    "no_repeat_ngram_2": ({"no_repeat_ngram_size": 2}, [p.NoRepeatNGramLogitsProcessor(2)]),
    "no_repeat_ngram_3": ({"no_repeat_ngram_size": 3}, [p.NoRepeatNGramLogitsProcessor(3)]),
}


def processor_cases() -> list[dict]:
    """Per chain: arguments, history `[B,t]`, logits `[B,V]`, and the probabilities `[B,V]` to draw from."""
    cases = []
    for name, (arguments, chain) in CHAINS.items():
        scores = torch.tensor(LOGITS)
        for processor in chain:
            scores = processor(torch.tensor(HISTORY), scores)
        probabilities = np.round(torch.softmax(scores.double(), -1).numpy(), 7)
        cases.append({"name": name, "arguments": arguments, "history": HISTORY,
                      "logits": [[round(float(x), 3) for x in row] for row in LOGITS],
                      "probabilities": probabilities.tolist()})
    return cases
