"""Tiny models, documents and batches for the pre-training tests."""

import keras
import numpy as np

import tfplm
from tfplm.core.config import Config
from tfplm.data.batches.batch_source import token_batches
from tfplm.data.batches.batching import Batching
from tfplm.data.noise import NoiseVocabulary
from tfplm.data.records.reader import DocumentList
from tfplm.data.sequences.documents import Document
from tfplm.data.sequences.recipes import Sequences
from tfplm.families import registry
from tfplm.pretrain.architecture import saved_labels, with_labels
from tfplm.pretrain.model import Pretraining
from tfplm.pretrain.objectives.catalogue import OBJECTIVES, default_preset, parse_objective, saved_head
from tfplm.pretrain.objectives.objective import Setting
from tfplm.pretrain.objectives.task import make_tasks
from tfplm.training.optimizers.make import make_optimizer

PAD, CLS, MASK, SEP, SIZE = 0, 1, 2, 3, 60
VOCABULARY = NoiseVocabulary(SIZE, PAD, MASK, CLS, SEP, SEP, tuple(range(50, 60)), (PAD, CLS, MASK, SEP))
TINY = {"vocab_size": SIZE, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "pad_token_id": PAD,
        "intermediate_size": 24, "max_position_embeddings": 48, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0}
# objective -> fields that its tiny model needs
FIELDS = {"clm-reverse": {"attention_type": "causal_reverse"}, "rtd+sop": {"embedding_size": 8},
          "span-corruption": {"head_dim": 8}, "denoising": {"decoder_start_token_id": SEP},
          "mass": {"decoder_start_token_id": SEP}}
ALL = [*(name for name, kind in OBJECTIVES.items() if kind.packing != "labelled"), "mlm+nsp", "mlm:1+sop:0.5", "mlm+sop3",
       "rtd+sop", "mlm+tagging"]


def documents(count=40, seed=0) -> DocumentList:
    """Documents in which the previous token determines the next one, up to a coin flip."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(count):
        lengths = rng.integers(5, 12, 20).astype(np.int32)
        ids = np.full(lengths.sum(), 5, np.int32)
        for position in range(1, len(ids)):
            ids[position] = 5 + (ids[position - 1] * 3 + rng.integers(0, 2)) % 40
        result.append(Document(ids, lengths, rng.random(len(ids)) < 0.6))
    return DocumentList(result, VOCABULARY)


def config_of(objective: str, **changes) -> Config:
    """A tiny configuration of the family of the objective's default preset."""
    plans = parse_objective(objective)
    base = registry.family(registry.preset(default_preset(plans)).model_type).base
    config = Config.from_dict({**base, **TINY, **FIELDS.get(objective, {}), **changes})
    return with_labels(config, plans, ("☀", "☔"))


def make(objective: str, eager: bool = True, dtype: str = "float32", **changes) -> Pretraining:
    """A compiled tiny model with the objective."""
    config, plans = config_of(objective, **changes), parse_objective(objective)
    keras.utils.set_random_seed(1)
    tasks = make_tasks(plans, Setting(config, VOCABULARY, classes=("☀", "☔")))
    labels = saved_labels(config, plans)
    model = Pretraining(tfplm.from_config(config, saved_head(plans), num_labels=labels, dtype=dtype), tasks)
    model.compile(make_optimizer(learning_rate=0.01, schedule="constant", warmup_steps=0), run_eagerly=eager)
    return model


def batches_of(model: Pretraining, task: int = 0, length: int = 32, rows: int = 8, seed: int = 0):
    """Batches of one of the model's tasks."""
    task = model.tasks[task]
    return token_batches(documents(), Sequences(task.plan.packing, task.raw_length(length)), task.noise, seed=seed,
                         columns=task.columns,
                         batching=Batching(rows * task.raw_length(length), multiple=length, drop_remainder=True))


def first_batch(model: Pretraining, **details) -> dict:
    return next(batches_of(model, **details).epoch(0))
