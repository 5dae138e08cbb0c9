"""MLM training of a small BERT (4 layers, width 256, vocabulary 8,000) compared with KerasHub, and the input pipeline.

    TFPLM_DATA=... python tests/benchmarks/pretrain.py [--corpus wikitext2] [--dtype bfloat16 float32] [--steps 10]

Real tokens per second (without padding) of `fit` including the input pipeline, which tokenizes and masks text
(KerasHub: with its own MaskedLMMaskLayer and packer, on the lines of the same text; and also on our packed batches, to
compare the models only). 15 % of the tokens are masked; batches of 32 x 128, AdamW, dropout 0.1. Also the tokens per
second of the pipeline without a model.
"""

import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from turns import parser, race, table

ROWS, LENGTH, PREDICTIONS, SIZE, WIDTH, LAYERS, HEADS = 32, 128, 19, 8000, 256, 4, 4
CORPORA = {"wikitext2": ["wikitext2/valid.txt", "wikitext2/test.txt"], "zh_novels": ["zh_novels"]}


def prepare(corpus: str, folder: Path) -> None:
    """Writes records and a vocabulary of the corpus."""
    from tfplm.data.records.build import records
    from tfplm.data.text.corpus import read_documents
    from tfplm.data.text.text_files import find_files, read_lines
    from tfplm.tokenizers.train import train_vocabulary

    text = [str(Path(os.environ["TFPLM_DATA"], name)) for name in CORPORA[corpus]]
    lines = [sentence for document in read_documents(text) for sentence in document]
    train_vocabulary(lines, "wordpiece", SIZE).save_pretrained(folder / "vocabulary")
    records(text=text, output=str(folder / "records"), tokenizer=str(folder / "vocabulary"), quiet=True)
    paragraphs = [line.strip() for name in text for file in find_files(name) for line in read_lines(file)]
    (folder / "lines.txt").write_text("\n".join(line for line in paragraphs if len(line) > 10), encoding="utf-8")


def _batches(folder: Path):
    from tfplm.core.config import Config
    from tfplm.data.records.reader import TokenRecords
    from tfplm.options.pretrain import PretrainOptions
    from tfplm.pretrain.batches import Batches
    from tfplm.pretrain.corpus import DocumentCorpus
    from tfplm.pretrain.objectives.catalogue import parse_objective
    from tfplm.pretrain.objectives.objective import Setting
    from tfplm.pretrain.objectives.task import make_tasks
    from tfplm.tokenizers import Tokenizer

    reader = TokenRecords(folder / "records")
    config = Config(vocab_size=SIZE, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS)
    tasks = make_tasks(parse_objective("mlm"), Setting(config, reader.vocabulary))
    options = PretrainOptions(text=["-"], batch_tokens=ROWS * LENGTH, max_length=LENGTH, steps=10_000)
    corpus = DocumentCorpus(options, Tokenizer.from_pretrained(folder / "vocabulary"),
                            reader=lambda held_out: None if held_out else reader)
    return config, tasks, Batches(corpus, tasks, options)


def tfplm(folder: str, dtype: str, steps: int, jit):
    """`fit` of `steps` batches; each run continues in the data."""
    import tfplm
    from tfplm.pretrain.model import Pretraining
    from tfplm.training.optimizers.make import make_optimizer

    config, tasks, batches = _batches(Path(folder))
    model = Pretraining(tfplm.from_config(config, "masked_lm", dtype=dtype), tasks)
    model.compile(make_optimizer(learning_rate=1e-4, schedule="constant"), jit_compile=jit)
    data = batches.dataset().repeat()
    return lambda: model.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)


def _keras_hub_model(dtype):
    import keras
    import keras_hub

    backbone = keras_hub.models.BertBackbone(vocabulary_size=SIZE, num_layers=LAYERS, num_heads=HEADS, hidden_dim=WIDTH,
                                             intermediate_dim=4 * WIDTH, dropout=0.1, max_sequence_length=512,
                                             dtype=dtype)
    model = keras_hub.models.BertMaskedLM(backbone, preprocessor=None)
    model.compile(keras.optimizers.AdamW(1e-4, weight_decay=0.01),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()])
    return model


def _keras_hub_dataset(folder: Path):
    import keras_hub
    import tensorflow as tf

    words = (folder / "vocabulary" / "vocab.txt").read_text(encoding="utf-8").splitlines()
    tokenizer = keras_hub.models.BertTokenizer(words, lowercase=True)
    preprocess = keras_hub.models.BertMaskedLMPreprocessor(tokenizer, sequence_length=LENGTH, mask_selection_rate=0.15,
                                                           mask_selection_length=PREDICTIONS)
    lines = tf.data.TextLineDataset(str(folder / "lines.txt")).repeat().shuffle(2000, seed=0).batch(ROWS)
    return lines.map(preprocess, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def keras_hub(folder: str, dtype: str, steps: int):
    """KerasHub's MaskedLM with its own preprocessing of the lines."""
    model, data = _keras_hub_model(dtype), _keras_hub_dataset(Path(folder))
    return lambda: model.fit(data, steps_per_epoch=steps, verbose=0)


def keras_hub_packed(folder: str, dtype: str, steps: int):
    """KerasHub's MaskedLM on the batches of tfplm."""
    model, data = _keras_hub_model(dtype), _batches(Path(folder))[2].dataset()

    def renamed(batch):
        x = {"token_ids": batch["input_ids"], "padding_mask": batch["attention_mask"],
             "segment_ids": batch["token_type_ids"], "mask_positions": batch["masked_lm_positions"]}
        return x, batch["masked_lm_ids"], batch["masked_lm_weights"]

    data = data.map(renamed).repeat()
    return lambda: model.fit(data, steps_per_epoch=steps, verbose=0)


def pipeline(folder: Path, batches: int = 150) -> float:
    """Tokens per second of the dataset without a model."""
    iterator = iter(_batches(folder)[2].dataset())
    next(iterator)
    start, tokens = time.perf_counter(), 0
    for batch in itertools.islice(iterator, batches):
        tokens += int(batch["attention_mask"].numpy().sum())
    return tokens / (time.perf_counter() - start)


def _real_share(folder: Path) -> float:
    """Fraction of real tokens in KerasHub's own batches."""
    masks = [batch[0]["padding_mask"].numpy() for batch in _keras_hub_dataset(folder).take(20)]
    return float(np.mean(masks))


def main():
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--corpus", default="wikitext2", choices=list(CORPORA))
    flags.add_argument("--dtype", nargs="*", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    flags.add_argument("--steps", type=int, default=8, help="number of steps of a run")
    options = flags.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(options.corpus, folder)
        print(f"pipeline without a model: {pipeline(folder):,.0f} tokens/s")
        share = _real_share(folder)
        print(f"{options.corpus}: {share:.1%} of the positions in KerasHub's own batches are real tokens, in ours all")
        for dtype in options.dtype:
            policy = "mixed_bfloat16" if dtype == "bfloat16" else dtype
            contenders = {f"tfplm {dtype}": (tfplm, name, policy, options.steps, "auto"),
                          f"tfplm {dtype} XLA": (tfplm, name, policy, options.steps, True),
                          "KerasHub, own preprocessing": (keras_hub, name, policy, options.steps),
                          "KerasHub, packed by tfplm": (keras_hub_packed, name, policy, options.steps)}
            times = race(contenders, options.rounds, options.only)
            if "KerasHub, own preprocessing" in times:  # scaled to the same number of real tokens
                times["KerasHub, own preprocessing"] = [t / share for t in times["KerasHub, own preprocessing"]]
            table(f"MLM training, {ROWS} x {LENGTH}, {dtype}, real tokens", times, f"tfplm {dtype}",
                  options.steps * ROWS * LENGTH, "tokens/s")


if __name__ == "__main__":
    main()
