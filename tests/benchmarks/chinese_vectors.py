"""Chinese sentence vectors from raw text to a table: a small BERT, pooled, whitened, trained by SimCSE, and supervised.

    TFPLM_DATA=... python tests/benchmarks/chinese_vectors.py WORK [--adapt] [--steps 12000] [--only text | model]

Spearman's correlation x 100 on Chinese STS-B (test) and AFQMC (dev). WORK contains the texts, the vocabulary, the
records and the models; a second run with the same WORK resumes. 40 minutes on two cores, 15 more with --adapt.

- model: `tfplm pretrain` on the novels and `modern.txt` (news, headlines, questions, paragraphs of Wikipedia). With
  --adapt then on the sentences of the training files only, as in domain-adaptive pre-training (Gururangan et al. 2020).
- pooled: the mean over the last layer. whitened: fitted on the sentences of the training pairs, which SimCSE also uses,
  or on those of the tested pairs ("target" in Su et al. 2021); without their scores.
- SimCSE: on the sentences of the training pairs, without their scores; with word repetition (ESimCSE, Wu et al. 2022) and
  batches of similar lengths; the final weights.
- supervised: CoSENT on the training pairs, starting from SimCSE's weights; the best weights on separate pairs (STS-B's
  development file, the last of AFQMC's training pairs).

The differences between successive rows have intervals of a paired bootstrap over the tested pairs: they include the
variation over other pairs, but not over other trainings.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

import numpy as np

from tests.conftest import data_folders
from tfplm.data.records.build import records
from tfplm.data.text.vocab import vocab
from tfplm.embed import SentenceEncoder, Whitening
from tfplm.embed.commands.sts_eval import correlations, read_pairs, texts_of
from tfplm.embed.contrastive.run import contrastive
from tfplm.pretrain.run import pretrain

AFQMC_DEV = 4000  # taken from the training pairs, as the development file is the test file
COMPONENTS = 128
MODEL = {"preset": "bert-base-chinese", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 8,
         "intermediate_size": 1024, "max_position_embeddings": 128, "initializer_range": 0.08}
# few layers, short rows, small batches: with three layers and twice the batch it still predicted unigrams at step 2,700
PRETRAIN = {"max_length": 32, "batch_tokens": 1024, "masked_rate": 0.2, "learning_rate": 1.5e-3, "beta_2": 0.98,
            "dtype": "mixed_bfloat16"}
ADAPT = {**PRETRAIN, "max_length": 64, "learning_rate": 1e-3, "steps": 4000, "held_out": 0.02}
SIMCSE = {"loss": "simcse", "pooling": ["REDUCE_MEAN"], "dropout": 0.1, "repetition": 0.32, "by_length": True,
          "learning_rate": 5e-4, "batch_size": 64, "dtype": "mixed_bfloat16"}
SUPERVISED = {"loss": "cosent", "learning_rate": 3e-4, "evaluate_every": 48, "dtype": "mixed_bfloat16"}
EPOCHS = {"stsb": {"simcse": 4, "supervised": 4}, "afqmc": {"simcse": 1, "supervised": 1}}
RESAMPLED = 500


def data(*parts: str) -> Path:
    return next(path for folder in data_folders() if (path := folder.joinpath(*parts)).exists())


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def characters(path: Path) -> Iterator[str]:
    """The sentences of a file with a character and a tag per line; a digit after the character is removed."""
    for block in path.read_text("utf-8").split("\n\n"):
        yield "".join(line[0] for line in block.splitlines() if line)


def training_sentences() -> Iterator[str]:
    """The sentences of all training pairs, without their scores."""
    for path in (data("afqmc", "train.txt"), data("stsb_zh", "sts-b-train.txt")):
        yield from (text for line in lines(path) for text in line.split("\t")[:2])


def modern_documents() -> Iterator[str]:
    """News, paragraphs of Wikipedia, sentences of training files, headlines; each is a document."""
    for path in sorted(data("zh_news_sample").glob("*.txt")):
        yield from path.read_text("utf-8").split("\n\n")
    for path in sorted(data("cmrc2018").glob("*.json")):
        for article in json.loads(path.read_text("utf-8"))["data"]:
            yield from (paragraph["context"] for paragraph in article["paragraphs"])
    yield from training_sentences()
    yield from (line.split("\t")[0] for line in lines(data("thucnews", "dev.txt")))
    yield from characters(data("peoples_daily_ner", "example.test"))
    yield from characters(data("weibo_ner", "train.bio"))


def write_documents(file: Path, texts: Iterator[str]) -> str:
    """Writes each text once, separated by blank lines, and returns the name of the file."""
    file.write_text("\n\n".join(filter(None, dict.fromkeys(text.strip() for text in texts))) + "\n", "utf-8")
    return str(file)


def write_text(work: Path) -> list[str]:
    """Writes `modern.txt`, and returns the files of the corpus: the novels and `modern.txt`."""
    return [*map(str, sorted(data("zh_novels").glob("*.txt"))), write_documents(work / "modern.txt", modern_documents())]


def make_model(work: Path, steps: int, adapt: bool) -> str:
    """The folder of the pre-trained model, or with `adapt` of the adapted one; trains the model if it is missing."""
    text, general, adapted = write_text(work), work / "general", work / "adapted"
    if not (general / "results.json").exists():
        vocab(text=text, output=str(work / "vocabulary"), vocab_size=8000, character_coverage=0.9995)
        records(text=text, tokenizer=str(work / "vocabulary"), output=str(work / "records"), held_out=0.02)
        pretrain(records=[str(work / "records")], output=str(general), steps=steps, **MODEL, **PRETRAIN)
    if not adapt:
        return str(general)
    if not (adapted / "results.json").exists():
        sentences = write_documents(work / "sentences.txt", training_sentences())
        pretrain(text=[sentences], output=str(adapted), init=str(general), **ADAPT)
    return str(adapted)


def pairs(work: Path) -> dict[str, dict[str, str]]:
    """Training, development and test files of each data set."""
    rows = lines(data("afqmc", "train.txt"))
    for name, part in (("train", rows[:-AFQMC_DEV]), ("dev", rows[-AFQMC_DEV:])):
        (work / f"afqmc-{name}.tsv").write_text("\n".join(part) + "\n", "utf-8")
    return {"stsb": {split: str(data("stsb_zh", f"sts-b-{split}.txt")) for split in ("train", "dev", "test")},
            "afqmc": {"train": str(work / "afqmc-train.tsv"), "dev": str(work / "afqmc-dev.tsv"),
                      "test": str(data("afqmc", "dev.txt"))}}


def trained(work: Path, name: str, files: dict, **options) -> str:
    """The folder of a contrastive training on the data set; trains the model if it is missing."""
    folder = work / name
    if not (folder / "results.json").exists():
        contrastive(data=[files["train"]], output=str(folder), **options)
    return str(folder)


def vectors_of(source: str, files: dict, length: int) -> dict[str, np.ndarray]:
    """Vectors of the tested pairs: unchanged, whitened by the training sentences, and whitened by the tested ones."""
    encoder = SentenceEncoder.from_pretrained(source, max_length=length)
    tested, trained_on = (encoder.encode(texts_of(read_pairs(files[split])), normalize=False) for split in ("test", "train"))
    return {"as it is": tested, "whitened": Whitening.fit(trained_on, COMPONENTS).apply(tested),
            "by tested": Whitening.fit(tested, COMPONENTS).apply(tested)}


def interval(first: np.ndarray, second: np.ndarray, examples: list) -> tuple[float, float]:
    """95 % interval of the difference of Spearman's correlation (second minus first), by bootstrap over the pairs."""
    random, count, differences = np.random.default_rng(0), len(examples), []
    for _ in range(RESAMPLED):
        drawn = random.integers(0, count, count)
        both, chosen = np.concatenate([drawn, drawn + count]), [examples[index] for index in drawn]
        differences.append(correlations(second[both], chosen)[0] - correlations(first[both], chosen)[0])
    return tuple(np.percentile(differences, [2.5, 97.5]))


def print_table(name: str, models: dict[str, str], files: dict, length: int) -> None:
    examples = read_pairs(files["test"])
    found = {method: vectors_of(source, files, length) for method, source in models.items()}
    print(f"\n{name}, {len(examples):,} pairs, Spearman x 100")
    for method, kinds in found.items():
        print(f"  {method:11s}" + "".join(f" {kind} {correlations(vectors, examples)[0]:5.1f} " for kind, vectors in
                                          kinds.items()), flush=True)
    order = {"pooled": found["pooled"]["as it is"], "whitened": found["pooled"]["whitened"],
             "SimCSE": found["SimCSE"]["as it is"], "supervised": found["supervised"]["as it is"]}
    for (before, first), (method, second) in itertools.pairwise(order.items()):
        low, high = interval(first, second, examples)
        print(f"  {method} minus {before}: {low:+.1f} to {high:+.1f}", flush=True)


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("work", type=Path, help="folder of all outputs")
    flags.add_argument("--adapt", action="store_true", help="adapt the model to the sentences of the training files")
    flags.add_argument("--steps", type=int, default=12000, help="number of steps of pre-training")
    flags.add_argument("--only", choices=["text", "model"], help="stop after this part")
    options = flags.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.only == "text":
        write_text(options.work)
        return
    model = make_model(options.work, options.steps, options.adapt)
    if options.only == "model":
        return
    length = (ADAPT if options.adapt else PRETRAIN)["max_length"]  # later positions are not trained
    common = {"max_length": min(length, 40)}  # for training: 7 % of STS-B's texts are longer, 1 % of AFQMC's
    for name, files in pairs(options.work).items():
        start = f"{name}-{Path(model).name}"
        simcse = trained(options.work, f"{start}-simcse", files, init=model, epochs=EPOCHS[name]["simcse"],
                         **common, **SIMCSE)
        supervised = trained(options.work, f"{start}-cosent", files, init=simcse, epochs=EPOCHS[name]["supervised"],
                             dev=files["dev"], **common, **SUPERVISED)
        print_table(name, {"pooled": model, "SimCSE": simcse, "supervised": supervised}, files, length)


if __name__ == "__main__":
    main()
