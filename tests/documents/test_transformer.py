"""The fourth document (Transformer, BERT and GPT-2): its data split, its training loop, prediction, incremental learning."""

import collections
import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tqdm import tqdm

import tfplm
from tests.adapt.adapt_cases import BAD, GOOD, save_bert, train, write_texts
from tfplm.adapt.finetune.data import load_examples
from tfplm.adapt.finetune.evaluate import evaluate
from tfplm.adapt.methods.replay import Replay
from tfplm.models.pretrained.weights import named_variables
from tfplm.models.scoring import is_next, open_pair_model
from tfplm.options.finetune import FinetuneOptions
from tfplm.pretrain.run import pretrain

MAXLEN, BATCH_SIZE = 16, 4
TOKENIZER = (r"BertTokenizer\.from_pretrained\(.*\)", "tfplm.Tokenizer.from_pretrained(MODEL)")
# what is replaced in the programs: names of transformers and of Keras 2, and the first of transformers' outputs
LOOP = [(r"from transformers import .*", "import tfplm"), (r"config = BertConfig.*\n", ""), (r"\blr=", "learning_rate="),
        (r"reset_states", "reset_state"), (r"(training=\w+\))\[0\]", r"\1"),
        (r"BertForSequenceClassification\.from_pretrained\(.*\)",
         'tfplm.from_pretrained(MODEL, "sequence_classification", num_labels=NUM_CLASSES)')]
PREDICT = [(r"from transformers import .*", "import tfplm"), TOKENIZER, (r" *return_tensors='tf',\n", ""),
           (r"TFBertModel\.from_pretrained\((.*)\)", r"tfplm.from_pretrained(\1, 'sequence_classification')"),
           (r"outputs\.last_hidden_state @ .*", "outputs")]
Features = collections.namedtuple("Features", "input_ids segment_ids attention_mask")


def replaced(code: str, pairs: list[tuple[str, str]]) -> str:
    """The program with tfplm's names; each pattern must occur."""
    for pattern, text in pairs:
        code, count = re.subn(pattern, text, code)
        assert count, pattern
    return code


class Batches:
    """In place of the document's iterator, whose rows are integers: batches [B,T,3] in order, again and again."""

    def __init__(self, features, labels):
        self.data_lines, self.position = list(zip(features, labels)), 0

    def get_batch_data(self):
        rows = [self.data_lines[(self.position + index) % len(self.data_lines)] for index in range(BATCH_SIZE)]
        self.position += BATCH_SIZE
        return np.stack([np.stack(features, -1) for features, _ in rows]), np.array([[label] for _, label in rows])


class Loop:
    """The document's loop over a tiny model, in a folder."""

    def __init__(self, document, model):
        self.model, text = str(model), document("transformer")
        self.code = replaced(text.code(209, 289), LOOP)
        self.predict = replaced(text.code(291, 320), PREDICT)
        self.features = {"tfplm": tfplm, "MODEL": self.model, "MAXLEN": MAXLEN, "InputFeatures": Features}
        exec(replaced(text.code(133, 207).split("class ")[0], [TOKENIZER]), self.features)

    def run(self, epochs: int, seed: int) -> dict:
        """The names of the program after it has run in the current folder."""
        keras.utils.set_random_seed(seed)
        texts, labels = [*GOOD[:4], *BAD[:4]], [1] * 4 + [0] * 4
        rows = [self.features["convert_example_to_feature"](text) for text in texts]
        names = {"tqdm": tqdm, "MODEL": self.model, "NUM_CLASSES": 2, "LEARNING_RATE": 5e-3, "EPOCHS": epochs,
                 "BATCH_SIZE": BATCH_SIZE, "train_iter": Batches(rows, labels), "val_iter": Batches(rows[::2], labels[::2])}
        exec(self.code, names)
        return names


pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def loop(document, tmp_path_factory):
    model = save_bert(tmp_path_factory.mktemp("loop") / "model", hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)
    return Loop(document, model)


@pytest.fixture(scope="module")
def whole(loop, tmp_path_factory):
    """The folder of an uninterrupted run of two epochs, and its names."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, loop.run(2, seed=1)


def test_lines_209_to_288_run_and_resume_bit_for_bit(loop, whole, tmp_path, monkeypatch, capsys):
    """With dropout; the second process has other random weights and seeds until it restores."""
    monkeypatch.chdir(tmp_path)
    loop.run(1, seed=1)
    capsys.readouterr()
    resumed = loop.run(1, seed=2)
    shown = capsys.readouterr()
    assert shown.out.startswith("[INFO] restore model from ./save/model.ckpt-1\nEpoch 1/1\n")
    assert re.search(r"Step 2, Loss \d\.\d\d, Acc \d\.\d\d: 100%", shown.err)
    assert re.search(r"\nVal Loss: \d\.\d\d \| Val Acc: \d\.\d\d\n", shown.out)
    expected = whole[1]
    for owner in ("model", "optimizer"):
        ours, theirs = resumed[owner].variables, expected[owner].variables
        assert len(ours) == len(theirs) > 20
        assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(ours, theirs))
    assert int(resumed["optimizer"].iterations) == 4
    assert sorted(path.name for path in (tmp_path / "save").glob("*.index")) == [
        f"model.ckpt-{number}.index" for number in (1, 2)]


def test_line_301_from_pretrained_reads_the_folder(whole):
    folder, names = whole
    batch = {"input_ids": np.array([[2, 9, 30, 3]], np.int32)}
    for source in (f"{folder}/save/", folder / "save" / "model.ckpt-2"):
        model = tfplm.from_pretrained(source, "sequence_classification")
        assert not model.loading_report.fresh
        np.testing.assert_array_equal(model(batch), names["model"](batch))
    assert "pooled_output" in tfplm.from_pretrained(f"{folder}/save/")(batch)  # as printed, without a head


def test_lines_303_to_318_predict_a_label(loop, whole, monkeypatch):
    folder, trained = whole
    monkeypatch.chdir(folder)
    names = {"MODEL": loop.model, "MAXLEN": MAXLEN, "softmax": keras.ops.softmax, "idx2label": {0: "差评", 1: "好评"}}
    exec(loop.predict, names)
    tokenizer = tfplm.Tokenizer.from_pretrained(loop.model)
    for text in [*GOOD, *BAD]:
        batch = tokenizer(text, padding="max_length", max_length=MAXLEN)
        batch["attention_mask"] = np.ones_like(batch["attention_mask"])  # neither loop nor function has a mask of padding
        assert names["predict"](text) == ["差评", "好评"][int(np.argmax(trained["model"](batch)))]


@pytest.mark.parametrize("config", [False, True])
def test_somebody_elses_checkpoint_lacks_our_names(tmp_path, config, whole):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="dense")])
    tf.train.Checkpoint(model=model).save(str(tmp_path / "model.ckpt"))
    lacking = "embeddings/word/embeddings"
    if config:
        tfplm.save_pretrained(whole[1]["model"], tmp_path / "ours")
        (tmp_path / "ours" / "config.json").rename(tmp_path / "config.json")
        lacking = r"embeddings/word/embeddings, embeddings/position/embeddings, .* and \d+ more"
    with pytest.raises(ValueError, match=rf"it has .*kernel.*, but lacks tfplm_model, {lacking}; expected a model of "
                                         "tfplm.*: load it with the library that wrote it"):
        tfplm.from_pretrained(tmp_path)


@pytest.mark.parametrize("by", ["files", "folder"])
def test_lines_115_to_130_split_the_data(document, tmp_path, monkeypatch, by):
    for name, count in (("train", 17), ("dev", 4), ("test", 6)):
        lines = [f"{'差好'[index % 2]}评\t{name}的第{index}句话,不错\n" for index in range(count)]
        (tmp_path / f"chinese_{name}.txt").write_text("".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def read_csv(name, header, sep):  # pandas, as far as it is used
        with open(name, encoding="utf-8") as file:
            return [np.array(column) for column in zip(*(line.rstrip("\n").split(sep) for line in file))]

    names = {"pd": types.SimpleNamespace(read_csv=read_csv)}
    exec(replaced(document("transformer").code(115, 132), [("import pandas as pd", "")]), names)
    files = {"data": str(tmp_path)} if by == "folder" else {
        f"{split}_file": f"chinese_{split}.txt" for split in ("train", "dev", "test")}
    said = []
    ours = load_examples(FinetuneOptions(**files, dev_share=0.2, split_seed=42), "text", said.append)
    assert [(example.text, example.label) for example in ours.train] == list(zip(names["train_data"], names["train_label"]))
    assert [(example.text, example.label) for example in ours.dev] == list(zip(names["val_data"], names["val_label"]))
    assert (len(ours.train), len(ours.dev), ours.test) == (21, 6, [])
    assert said[0] == "27 examples (train, dev, test): 21 for training, 6 held out for evaluation"


@pytest.mark.slow
def test_lines_109_to_112_incremental_learning(tmp_path):
    """Pre-training on the old task's texts, then the head alone: on old and new data together, then on the new ones."""
    tf.config.run_functions_eagerly(False)
    weather = ([f"{day}天气很好,出太阳" for day in "今明昨前后"], [f"{day}天气很差,下大雨" for day in "今明昨前后"])
    old = write_texts(tmp_path / "old", ("train", "dev"))
    new = write_texts(tmp_path / "new", ("train", "dev"), repeat=15,
                      rows=[*((text, "好评") for text in weather[0]), *((text, "差评") for text in weather[1])])
    corpus = tmp_path / "old.txt"
    corpus.write_text("".join(f"{text}。\n" for text in [*GOOD, *BAD] * 10), encoding="utf-8")
    start = save_bert(tmp_path / "start")
    first = pretrain(text=[str(corpus)], objective="mlm", init=str(start), steps=4, max_length=32, batch_tokens=256,
                     learning_rate=1e-3, held_out=0.0, summary_every=0, output=str(tmp_path / "first"),
                     log_dir=str(tmp_path / "logs"), quiet=True)
    options = {"train": "head", "epochs": 3, "learning_rate": 1e-2, "keep": "last"}
    share = 240 / 150  # all old examples
    mixed = train(first.output, tmp_path / "mixed", data=str(new), replay=str(old), replay_share=share, **options)
    alone = train(mixed.output, tmp_path / "alone", data=str(new), **options)
    assert len(Replay(FinetuneOptions(replay=str(old), replay_share=share), "text", 150).examples) == 240
    table = {(step.output.name, data.name): evaluate(source=str(step.output), data=str(data), quiet=True)
             for step in (mixed, alone) for data in (old, new)}
    assert all(0 <= scores["accuracy"] <= 1 for scores in table.values())
    for data in ("old", "new"):
        assert table["mixed", data]["loss"] < np.log(2), table  # both were learned from
    assert table["alone", "new"]["loss"] < table["mixed", "new"]["loss"], table
    before, (after, last) = named_variables(first.model), (named_variables(step.model) for step in (mixed, alone))
    for path, variable in after.items():
        if path.startswith(("embeddings/", "encoder/")):  # the pooler belongs to the head
            np.testing.assert_array_equal(variable, before[path])
            np.testing.assert_array_equal(last[path], before[path])


def test_lines_93_to_98_next_sentence_is_asked_in_the_order_of_the_pair(tmp_path):
    """The label depends on the order of the two sentences: 1 (here True) if the second one follows the first."""
    model = save_bert(tmp_path / "pairs", head="pretraining")
    found = open_pair_model(str(model)).relations([GOOD[0]], [BAD[0]])
    expected = tfplm.from_pretrained(model, "pretraining")(tfplm.Tokenizer.from_pretrained(model)(GOOD[0], BAD[0]))
    assert is_next(str(model), GOOD[0], BAD[0]) == found[0].is_next == bool(
        np.argmax(np.asarray(expected["next_sentence"])[0]) == 0)
