"""Quality of fine-tuning: the same recipe in tfplm and in torch + transformers, on the same data, with the same seeds.

    TFPLM_DATA=... python tests/benchmarks/finetune_quality.py sst2 cola stsb --seeds 3 --peer

MiniLM-L6 weights; AdamW (weight decay 0.01), 5e-5 with linear decay to 0 after 10 % of warm-up, batches of 32, clipping
at 1, dropout 0.1, weights of the last epoch, bfloat16 in both (mixed policy; autocast), and the bias of a regression
starts at the mean of the labels (with `--plain` not in transformers, which starts at 0 by default). SST-2: accuracy of
the test set; CoLA: Matthews' correlation of the out-of-domain development set; STS-B: Spearman's correlation of the
development set.
"""

import argparse
import functools
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from finetune import LENGTH, ROWS, minilm
from turns import THREADS, limit_threads

# task, monitor, folder, training file, scored file
TASKS = {
    "sst2": ("classification", "accuracy", "sst2", "train.tsv", "test.tsv"),
    "cola": ("classification", "mcc", "cola", "train.tsv", "dev_out_of_domain.tsv"),
    "stsb": ("regression", "spearman", "stsb", "train.tsv", "dev.tsv"),
}


def paths(name: str) -> tuple[str, str]:
    """The training file and the scored file."""
    _, _, folder, *files = TASKS[name]
    home = Path(os.environ["TFPLM_DATA"], folder)
    return tuple(str(home / file if (home / file).exists() else next(home.glob(f"{Path(file).stem}*"))) for file in files)


def ours(name: str, seed: int, epochs: int) -> float:
    """The score of `tfplm finetune`."""
    from tfplm.adapt.finetune.run import finetune

    task, monitor, *_ = TASKS[name]
    train, scored = paths(name)
    with tempfile.TemporaryDirectory() as folder:
        result = finetune(task=task, train_file=train, dev_file=scored, init=minilm(), epochs=epochs, batch_size=ROWS,
                          max_length=LENGTH, learning_rate=5e-5, keep="last", seed=seed, dtype="mixed_bfloat16",
                          output=folder, log_dir=f"{folder}/logs", summary_every=0, quiet=True)
    return result.dev[monitor]


def theirs(name: str, seed: int, epochs: int, plain: bool = False) -> float:
    """The score of a torch loop, by the same metrics."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        get_linear_schedule_with_warmup,
    )

    task, monitor, *_ = TASKS[name]
    kind = {"label_kind": "number" if task == "regression" else "class"}
    parts = [_examples(path, kind) for path in paths(name)]
    names = sorted({example.label for example in parts[0]}) if task == "classification" else None
    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(minilm())
    model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=len(names) if names else 1)
    if names is None and not plain:
        torch.nn.init.constant_(model.classifier.bias, np.mean([float(example.label) for example in parts[0]]))

    def rows(examples):
        pairs = [example.pair for example in examples]
        ids = tokenizer([e.text for e in examples], pairs if pairs[0] is not None else None, truncation=True,
                        max_length=LENGTH)
        labels = [names.index(e.label) if names else float(e.label) for e in examples]
        return [{**{key: ids[key][i] for key in ids}, "labels": label} for i, label in enumerate(labels)]

    collate = DataCollatorWithPadding(tokenizer)
    loader = torch.utils.data.DataLoader(rows(parts[0]), ROWS, shuffle=True, collate_fn=collate)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-5, weight_decay=0.01, eps=1e-6)
    steps = epochs * len(loader)
    schedule = get_linear_schedule_with_warmup(optimizer, round(0.1 * steps), steps)
    model.train()
    for _ in range(epochs):
        for batch in loader:
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        logits = [model(**batch).logits.numpy() for batch in
                  torch.utils.data.DataLoader(rows(parts[1]), 64, collate_fn=collate)]
    return _score(np.concatenate(logits), parts[1], names, monitor)


def _examples(path: str, kind: dict) -> list:
    from tfplm.data.tasks.read import read_examples
    from tfplm.options.reading import Reading

    return read_examples(path, "text", Reading(**kind))


def _score(logits: np.ndarray, examples: list, names, monitor: str) -> float:
    from tfplm.training.metrics import ClassificationMetrics, RegressionMetrics

    metric = ClassificationMetrics(names) if names else RegressionMetrics()
    labels = [names.index(e.label) if names else float(e.label) for e in examples]
    metric.update(logits.argmax(-1) if names else logits[:, 0], labels)
    return metric.result()[monitor]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("tasks", nargs="+", choices=list(TASKS))
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--epochs", type=int, default=2)
    arguments.add_argument("--peer", action="store_true", help="also run transformers")
    arguments.add_argument("--plain", action="store_true", help="the regression of transformers starts at 0")
    arguments = arguments.parse_args()
    limit_threads()
    peer = functools.partial(theirs, plain=arguments.plain)
    for name in arguments.tasks:
        for side, run in (("tfplm", ours), *([("transformers", peer)] if arguments.peer else [])):
            scores = [run(name, seed, arguments.epochs) for seed in range(1, arguments.seeds + 1)]
            print(f"{name:6s} {side:13s} {TASKS[name][1]:9s} {100 * np.mean(scores):6.2f}  "
                  f"({', '.join(f'{100 * score:.2f}' for score in scores)})", flush=True)
