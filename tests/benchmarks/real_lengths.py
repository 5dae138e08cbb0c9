"""BERT-base on sentences of real lengths: batches by length, compared with KerasHub padded to 64.

    TFPLM_DATA=... python tests/benchmarks/real_lengths.py [--what forward train] [--sentences 256]

Sentences of STS-B and SST-2, truncated to 64 tokens; tfplm's batches have about as many tokens as KerasHub's 16 x 64.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
import encoder
from turns import parser, race, table

from tests.conftest import data_folders

LIMIT, ROWS = 64, 16


def sentence_ids(count: int) -> list[np.ndarray]:
    """Token ids of `count` sentences, half of each data set."""
    import tfplm
    data = next(folder for folder in data_folders() if (folder / "stsb").exists())
    tokenizer = tfplm.Tokenizer.from_pretrained(data / "vocabs" / "bert_base_uncased_vocab.txt")
    stsb = [line.split("\t")[7] for line in (data / "stsb" / "dev.tsv").read_text("utf-8").splitlines()[1:]]
    sst2 = [line.split("\t")[1] for line in (data / "sst2" / "train.tsv").read_text("utf-8").splitlines()]
    texts = stsb[:count // 2] + sst2[:count - count // 2]
    return tokenizer(texts, padding=False, max_length=LIMIT)["input_ids"]


def by_length(count: int) -> list[dict]:
    from tfplm.data.batches.batching import Batching, bucket_by_length
    examples = [{"input_ids": np.asarray(ids)} for ids in sentence_ids(count)]
    batching = Batching(batch_tokens=ROWS * LIMIT, multiple=8, most_padding=0.25)
    return list(bucket_by_length(examples, batching))


def padded(count: int) -> list[dict]:
    ids = sentence_ids(count)
    batches = []
    for start in range(0, count, ROWS):
        batch = np.zeros((len(ids[start:start + ROWS]), LIMIT), "int32")
        for row, tokens in zip(batch, ids[start:]):
            row[:len(tokens)] = tokens
        batches.append({"token_ids": batch, "segment_ids": np.zeros_like(batch), "padding_mask": np.sign(batch)})
    return batches


def over(model, batches: list[dict], train: bool):
    """A function that runs over all batches."""
    rows = [len(next(iter(batch.values()))) for batch in batches]
    if train:
        return lambda: [model.train_on_batch(b, np.arange(n) % encoder.LABELS) for b, n in zip(batches, rows)]
    return lambda: [model.predict_on_batch(batch) for batch in batches]


def tfplm_run(dtype, train, count):
    model = encoder.tfplm_classifier(dtype) if train else encoder.tfplm_encoder(dtype)
    return over(model, by_length(count), train)


def keras_hub_run(dtype, train, count):
    model = encoder.keras_hub_classifier(dtype, "auto") if train else encoder.keras_hub_encoder(dtype, "auto")
    return over(model, padded(count), train)


def main():
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--what", nargs="*", default=["forward", "train"], choices=["forward", "train"])
    flags.add_argument("--sentences", type=int, default=256)
    options = flags.parse_args()
    tokens = sum(map(len, sentence_ids(options.sentences)))
    print(f"{options.sentences} sentences, {tokens} tokens, {tokens / options.sentences:.1f} on average")
    for what in options.what:
        ours = "mixed_bfloat16" if what == "train" else "bfloat16"
        contenders = {f"tfplm {ours}": (tfplm_run, ours), "KerasHub mixed_bfloat16": (keras_hub_run, "mixed_bfloat16"),
                      "tfplm float32": (tfplm_run, "float32"), "KerasHub float32": (keras_hub_run, "float32")}
        contenders = {name: (*made, what == "train", options.sentences) for name, made in contenders.items()}
        times = race(contenders, options.rounds, options.only)
        for unit, amount in (("sentences/s", options.sentences), ("tokens/s", tokens)):
            table(f"BERT-base {what}, real lengths", times, f"tfplm {ours}", amount, unit)


if __name__ == "__main__":
    main()
