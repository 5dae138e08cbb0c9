"""TensorBoard summaries of a pre-training: curves, histograms, samples, embeddings and attention."""

import keras
import numpy as np
import tensorflow as tf

from tfplm.pretrain.model import TASK, Pretraining
from tfplm.pretrain.objectives.task import Task
from tfplm.summaries import Embedding, Every, Look, SummaryCallback

ROWS, POINTS, LONGEST = 4, 1000, 40  # samples; embeddings in the projector; tokens in an image


def samples(model: Pretraining, held_out: list[dict], tokenizer) -> list[tuple[str, str, str]]:
    """(input, prediction, label) for a few held-out examples of each task that predicts tokens."""
    rows = []
    for index, task in enumerate(model.tasks):
        batch = next((batch for batch in held_out if len(model.tasks) == 1 or batch[TASK][0] == index), None)
        if batch is not None:
            few = {key: tf.constant(value[:ROWS]) for key, value in batch.items() if key != TASK}
            rows += _predicted(task, model.inner, few, tokenizer)
    return rows


def _predicted(task: Task, model: keras.Model, batch: dict, tokenizer) -> list[tuple[str, str, str]]:
    words = {part.name for part in task.parts if part.classes == model.config.vocab_size}
    rows = []
    for name, (logits, labels, weights) in task.predict(model, batch, False).items():
        if name not in words:
            continue
        predicted, labels, real = np.argmax(logits, -1), np.asarray(labels), np.asarray(weights) > 0
        for row in range(len(predicted)):
            ids = np.asarray(batch["input_ids"][row])[np.asarray(batch["attention_mask"][row]) == 1]
            rows.append((" ".join(tokenizer.convert_ids_to_tokens(ids)),
                         " ".join(tokenizer.convert_ids_to_tokens(predicted[row][real[row]])),
                         " ".join(tokenizer.convert_ids_to_tokens(labels[row][real[row]]))))
    return rows


def embeddings(model: Pretraining, tokenizer) -> dict[str, Embedding]:
    """The vectors of the first tokens that are not special: the most frequent ones of a learned vocabulary."""
    special = set(tokenizer.all_special_ids)
    ids = [i for i in range(len(tokenizer)) if i not in special][:POINTS]
    table = keras.ops.convert_to_numpy(model.inner.embeddings.word.embeddings)
    return {"tokens": Embedding(table[ids], tokenizer.convert_ids_to_tokens(ids))}


def summaries(log_dir, held_out: list[dict], tokenizer, every: int | None, sample_every: int) -> SummaryCallback:
    """The callback that writes curves every `every` steps, and every `sample_every` steps histograms of the weights,
    embeddings and, with held-out text, samples and the attention of one example; with that, also the graph of the model."""
    intervals = Every(scalars=every, weights=sample_every, projector=sample_every,
                      samples=sample_every if held_out else 0, attentions=sample_every if held_out else 0)
    look = Look(projector=lambda model: embeddings(model, tokenizer))
    if held_out:
        example = {key: value[:1] for key, value in held_out[0].items()}
        length = min(int(example["attention_mask"].sum()), LONGEST)
        look.probe = {key: value[:, :length] if key in ("input_ids", "attention_mask", "token_type_ids") else value
                      for key, value in example.items() if not key.startswith(("masked_lm", "span_"))}
        key = "decoder_input_ids" if "decoder_input_ids" in example else "input_ids"
        look.tokens = tokenizer.convert_ids_to_tokens(look.probe[key][0][:LONGEST])
        look.attentions = {"layers": [0, -1], "heads": [0, 1]}
        look.samples = lambda model: [("input", "predicted", "label"), *samples(model, held_out, tokenizer)]
    return SummaryCallback(log_dir, intervals, look)
