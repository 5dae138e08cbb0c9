"""Chinese sentence vectors from raw text to a table: a small BERT, pooled, whitened, trained by SimCSE, and supervised.

    TFPLM_DATA=... python tests/benchmarks/chinese_vectors.py WORK [--steps 14000] [--only text | model]

Spearman's correlation x 100 on Chinese STS-B (test) and AFQMC (dev). WORK keeps the texts, the vocabulary, the records and
the models, so that a second start goes on where the first one ended. An hour on two cores.

- model: the novels and `modern.txt` (news, headlines, questions, paragraphs of Wikipedia), by `tfplm pretrain`.
- pooled: the mean over the last layer. whitened: fitted on the sentences of the training pairs, those that SimCSE sees as
  well, or on those of the tested pairs ("target" in Su et al. 2021); without their scores.
- SimCSE: on the sentences of the training pairs, without their scores; the weights are kept that are best on pairs of their
  own (STS-B's development file, the last of AFQMC's training pairs), as in Gao et al. 2021.
- supervised: CoSENT on the training pairs, beginning with SimCSE's weights.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from tests.conftest import data_folders
from tfplm.data.records.build import records
from tfplm.data.vocab import vocab
from tfplm.embed import SentenceEncoder, Whitening
from tfplm.embed.contrastive import contrastive
from tfplm.embed.sts_eval import correlations, read_pairs, texts_of
from tfplm.training.pretrain import pretrain

AFQMC_DEV = 4000  # of the training pairs, as its development file is what is tested on
COMPONENTS = 128
MODEL = {"preset": "bert-base-chinese", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 8,
         "intermediate_size": 1024, "max_position_embeddings": 128, "initializer_range": 0.08}
# few layers, short rows, small batches: with three layers and twice the batch it had not left the unigrams by step 2,700
SHORT = {"max_length": 32, "batch_tokens": 1024, "masked_rate": 0.2, "learning_rate": 1.5e-3, "beta_2": 0.98,
         "dtype": "mixed_bfloat16"}
LONG = {**SHORT, "max_length": 128, "learning_rate": 5e-4}  # the last part, as in BERT, so that all positions are learned
LONG_PART = 7  # one step in so many
SIMCSE = {"loss": "simcse", "pooling": ["REDUCE_MEAN"], "dropout": 0.3, "learning_rate": 3e-3, "batch_size": 256,
          "max_length": 40, "dtype": "mixed_bfloat16"}
SUPERVISED = {"loss": "cosent", "learning_rate": 3e-4, "max_length": 40, "dtype": "mixed_bfloat16"}
EPOCHS = {"stsb": {"simcse": 8, "supervised": 4}, "afqmc": {"simcse": 1, "supervised": 1}}


def data(*parts: str) -> Path:
    return next(path for folder in data_folders() if (path := folder.joinpath(*parts)).exists())


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def characters(path: Path) -> Iterator[str]:
    """The sentences of a file with a character and a tag a line; where characters carry a digit it is left out."""
    for block in path.read_text("utf-8").split("\n\n"):
        yield "".join(line[0] for line in block.splitlines() if line)


def modern_documents() -> Iterator[str]:
    """News, paragraphs of Wikipedia, sentences of training files, headlines; a document each."""
    for path in sorted(data("zh_news_sample").glob("*.txt")):
        yield from path.read_text("utf-8").split("\n\n")
    for path in sorted(data("cmrc2018").glob("*.json")):
        for article in json.loads(path.read_text("utf-8"))["data"]:
            yield from (paragraph["context"] for paragraph in article["paragraphs"])
    for path in (data("afqmc", "train.txt"), data("stsb_zh", "sts-b-train.txt")):
        yield from (text for line in lines(path) for text in line.split("\t")[:2])
    yield from (line.split("\t")[0] for line in lines(data("thucnews", "dev.txt")))
    yield from characters(data("peoples_daily_ner", "example.test"))
    yield from characters(data("weibo_ner", "train.bio"))


def write_text(work: Path) -> list[str]:
    """The corpus: the novels, and `modern.txt`, made here."""
    modern = work / "modern.txt"
    documents = dict.fromkeys(text.strip() for text in modern_documents())
    modern.write_text("\n\n".join(filter(None, documents)) + "\n", "utf-8")
    return [*map(str, sorted(data("zh_novels").glob("*.txt"))), str(modern)]


def make_model(work: Path, steps: int) -> str:
    """The pre-trained model's folder."""
    text, folder = write_text(work), work / "model"
    if not (folder / "results.json").exists():
        vocab(text=text, output=str(work / "vocabulary"), vocab_size=8000, character_coverage=0.9995)
        records(text=text, tokenizer=str(work / "vocabulary"), output=str(work / "records"), held_out=0.02)
        text_records, short, long = [str(work / "records")], str(work / "short"), steps // LONG_PART
        pretrain(records=text_records, output=short, steps=steps - long, **MODEL, **SHORT)
        pretrain(records=text_records, output=str(folder), steps=long, init=short, **LONG)
    return str(folder)


def pairs(work: Path) -> dict[str, dict[str, str]]:
    """Training, development and test files of each data set."""
    rows = lines(data("afqmc", "train.txt"))
    for name, part in (("train", rows[:-AFQMC_DEV]), ("dev", rows[-AFQMC_DEV:])):
        (work / f"afqmc-{name}.tsv").write_text("\n".join(part) + "\n", "utf-8")
    return {"stsb": {split: str(data("stsb_zh", f"sts-b-{split}.txt")) for split in ("train", "dev", "test")},
            "afqmc": {"train": str(work / "afqmc-train.tsv"), "dev": str(work / "afqmc-dev.tsv"),
                      "test": str(data("afqmc", "dev.txt"))}}


def trained(work: Path, name: str, files: dict, **options) -> str:
    """The folder of a contrastive training on the data set, which is made when it is not there."""
    folder = work / name
    if not (folder / "results.json").exists():
        contrastive(data=[files["train"]], dev=files["dev"], output=str(folder), evaluate_every=48, **options)
    return str(folder)


def score(source: str, files: dict) -> list[float]:
    """As it is, and whitened: by the training sentences, and by the tested ones."""
    encoder = SentenceEncoder.from_pretrained(source)
    examples = read_pairs(files["test"])
    tested, trained_on = (encoder.encode(texts_of(each), normalize=False) for each in (examples, read_pairs(files["train"])))
    whitened = [Whitening.fit(fitted, COMPONENTS).apply(tested) for fitted in (trained_on, tested)]
    return [correlations(vectors, examples)[0] for vectors in (tested, *whitened)]


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("work", type=Path, help="folder of all that is made")
    flags.add_argument("--steps", type=int, default=14000, help="of pre-training")
    flags.add_argument("--only", choices=["text", "model"], help="stop behind this")
    options = flags.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.only == "text":
        write_text(options.work)
        return
    model = make_model(options.work, options.steps)
    if options.only == "model":
        return
    table = {}
    for name, files in pairs(options.work).items():
        simcse = trained(options.work, f"{name}-simcse", files, init=model, epochs=EPOCHS[name]["simcse"], **SIMCSE)
        supervised = trained(options.work, f"{name}-cosent", files, init=simcse, epochs=EPOCHS[name]["supervised"],
                             **SUPERVISED)
        for method, source in (("pooled", model), ("SimCSE", simcse), ("supervised", supervised)):
            table[name, method] = score(source, files)
    print(f"\n{'Spearman x 100':20s} {'as it is':>10s} {'whitened':>10s} {'by tested':>10s}")
    for (name, method), scores in table.items():
        print(f"{name:8s} {method:11s} " + " ".join(f"{one:10.1f}" for one in scores))


if __name__ == "__main__":
    main()
