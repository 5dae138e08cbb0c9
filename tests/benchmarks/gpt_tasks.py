"""GPT's four input transformations (Radford et al. 2018, section 3.3), with and without the auxiliary language model loss
(section 3.2), each on a real task, over several seeds.

    TFPLM_DATA=... python tests/benchmarks/gpt_tasks.py --minutes 1.5 --seeds 3

Two small GPTs, English and Chinese, are pre-trained first, for `--minutes` each, unless `--models FOLDER` has them. Then

    classification  SST-2, accuracy on the test set
    entailment      RTE, accuracy on the development set
    similarity      STS-B, Spearman's correlation on the development set; both orders of a pair, and one
    choice          C3 (dialogues), accuracy on the development set

are fine-tuned with L2, and with L3 = L2 + 0.5 L1. Scores are those of the last epoch on the first `--scored` lines, times
100.
"""

import argparse
import contextlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np

DATA = Path(os.environ["TFPLM_DATA"])
# language -> the corpus, options of `tfplm pretrain`
MODELS = {"en": (["en_prose"], {"vocab_size": 2000}),
          "zh": (["zh_modern/wiki.txt.gz"], {"vocabulary": "wordpiece", "vocab_size": 5000, "character_coverage": 0.9995})}
SMALL = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512,
         "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
# row -> language, score, training file, scored file, options of `tfplm finetune`
TASKS = {
    "classification, SST-2": ("en", "accuracy", "sst2/train.tsv", "sst2/test.tsv", {"task": "classification"}),
    "entailment, RTE": ("en", "accuracy", "glue_small/RTE/train.tsv", "glue_small/RTE/dev.tsv", {"task": "classification"}),
    "similarity, STS-B, both orders": ("en", "spearman", "stsb/train.tsv", "stsb/dev.tsv",
                                       {"task": "regression", "both_orders": True}),
    "choice, C3": ("zh", "accuracy", "c3/d_train.jsonl", "c3/d_dev.jsonl", {"task": "multiple-choice"}),
    "similarity, STS-B, one order": ("en", "spearman", "stsb/train.tsv", "stsb/dev.tsv", {"task": "regression"}),
}


def pretrained(folder: Path, language: str, minutes: float) -> Path:
    """The folder of the small GPT of a language, which is pre-trained if it is not there."""
    from tfplm.pretrain import pretrain

    output = folder / language
    if not (output / "config.json").is_file():
        corpus, options = MODELS[language]
        result = pretrain(text=[str(DATA / name) for name in corpus], objective="clm", preset="openai-gpt", **SMALL,
                          max_length=64, batch_tokens=1024, learning_rate=1e-3, steps=100_000, minutes=minutes,
                          evaluate_every=500, evaluation_batches=16, summary_every=0, output=str(output),
                          log_dir=str(folder / f"{language}-log"), quiet=True, **options)
        print(f"{language}: {result.parameters:,} parameters, {result.tokens:,} tokens, perplexity "
              f"{result.metrics['clm_perplexity']:.0f}, by frequency {result.baselines['clm_perplexity']:.0f}", flush=True)
    return output


def first_lines(path: Path, count: int, folder: Path) -> str:
    """A copy of the first lines of a file."""
    target = folder / path.name
    target.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:count]), encoding="utf-8")
    return str(target)


def score(row: str, model: Path, weight: float, seed: int, sizes: argparse.Namespace) -> float:
    """The score of one fine-tuning."""
    from tfplm.adapt.finetune import finetune

    _, monitor, train, scored, options = TASKS[row]
    with tempfile.TemporaryDirectory() as name, open(os.devnull, "w", encoding="utf-8") as nothing, \
            contextlib.redirect_stdout(nothing):
        folder = Path(name)
        result = finetune(init=str(model), train_file=str(DATA / train), batch_size=32,
                          dev_file=first_lines(DATA / scored, sizes.scored, folder), epochs=sizes.epochs,
                          most_examples=sizes.examples, max_length=64, learning_rate=3e-4,
                          gpt_inputs=True, auxiliary_lm=weight, keep="last", seed=seed, output=str(folder / "model"),
                          log_dir=str(folder / "log"), summary_every=0, quiet=True, **options)
        return result.dev[monitor]


def compare(folder: Path, sizes: argparse.Namespace) -> dict:
    """Prints and returns the scores of all rows: row -> {weight of L1: [scores]}."""
    models = {language: pretrained(folder, language, sizes.minutes) for language in MODELS}
    found = {}
    for row, (language, monitor, *_) in TASKS.items():
        found[row] = {}
        for weight in (0.0, 0.5):
            values = [100 * score(row, models[language], weight, seed, sizes) for seed in range(1, sizes.seeds + 1)]
            found[row][str(weight)] = values
            print(f"{row:32s} {monitor:9s} {'L2' if not weight else f'L2 + {weight:g} L1':12s} {np.mean(values):6.2f}  "
                  f"({', '.join(f'{value:.2f}' for value in values)})", flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder of the two pre-trained models (default: a temporary one)")
    parser.add_argument("--minutes", type=float, default=1.5, help="pre-training of each model")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=1000, help="most training examples of a task")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--scored", type=int, default=500, help="most lines of a scored file")
    parser.add_argument("--output", type=Path, help="write the scores to this JSON file")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        home = arguments.models or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        scores = compare(home, arguments)
    if arguments.output:
        arguments.output.write_text(json.dumps(scores, indent=1), encoding="utf-8")
