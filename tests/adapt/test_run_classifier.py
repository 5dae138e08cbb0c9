"""`tfplm run-classifier`: the workflow, flags and files of BERT's `run_classifier.py`."""

import sys

import pytest

from tests.adapt.adapt_cases import BAD, GOOD, save_bert
from tfplm.adapt.processor_files import load_processor
from tfplm.adapt.run_classifier import processors, run_classifier
from tfplm.training.loop.run_folder import RESULTS

PROCESSOR = '''
import os
from tfplm.data.tasks.processors import DataProcessor, InputExample


class Reviews(DataProcessor):
    def examples(self, data_dir, split):
        rows = self._read_tsv(os.path.join(data_dir, split + ".tsv"))
        return [InputExample(f"{split}-{i}", row[0], label="0" if split == "test" else row[1])  # as BERT's scripts do
                for i, row in enumerate(rows)]

    def get_train_examples(self, data_dir):
        return self.examples(data_dir, "train")

    def get_dev_examples(self, data_dir):
        return self.examples(data_dir, "dev")

    def get_test_examples(self, data_dir):
        return self.examples(data_dir, "test")

    def get_labels(self):
        return ["差评", "好评"]
'''


@pytest.fixture
def arguments(tiny, tmp_path) -> dict:
    rows = [*((text, "好评") for text in GOOD), *((text, "差评") for text in BAD)]
    for split in ("train", "dev", "test"):
        lines = [f"{text}\t{label}\n" for text, label in rows] * (15 if split == "train" else 1)
        (tmp_path / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "reviews.py").write_text(PROCESSOR, encoding="utf-8")
    return {"data_dir": str(tmp_path), "task_name": "reviews", "processor": f"{tmp_path / 'reviews.py'}:Reviews",
            "output_dir": str(tmp_path / "out"), "quiet": True}


def test_train_and_then_evaluate_and_predict(arguments, tiny, tmp_path):
    dev = (tmp_path / "dev.tsv").rename(tmp_path / "later.tsv")  # only --do_eval reads it
    assert run_classifier(do_train=True, init_checkpoint=str(tiny), max_seq_length=400, learning_rate=3e-3,
                          num_train_epochs=1.9, train_batch_size=16, **arguments) == {}
    dev.rename(tmp_path / "dev.tsv")
    found = run_classifier(do_eval=True, do_predict=True, **arguments)
    assert found["eval_accuracy"] >= 0.9 and found["global_step"] == 28  # int(240 / 16 * 1.9)
    assert (tmp_path / "out" / "eval_results.txt").read_text().startswith("eval_accuracy = ")
    lines = (tmp_path / "out" / "test_results.tsv").read_text().splitlines()
    rows = [list(map(float, line.split("\t"))) for line in lines]
    assert len(rows) == 16 and all(sum(row) == pytest.approx(1, abs=1e-5) for row in rows)
    assert [row[1] > row[0] for row in rows].count(True) == 8  # in the order of get_labels
    assert (tmp_path / "out" / RESULTS).is_file()


@pytest.mark.parametrize("changes, message", [
    ({}, "no step was given; expected --do_train, --do_eval or --do_predict: add"),
    ({"do_train": True}, "--do_train was given without a model; .* add --init_checkpoint"),
    ({"do_train": True, "num_train_epochs": 0.0, "init_checkpoint": "x"}, "num_train_epochs is 0.0; expected a number a"),
    ({"do_eval": True, "use_tpu": True}, "TPUs are not supported: omit it"),
    ({"do_eval": True, "processor": "reviews.py"}, "'reviews.py'; expected file.py or file.py:ClassName of"),
    ({"do_eval": True, "processor": "reviews"}, "'reviews'; expected file.py or file.py:ClassName of an existing file")])
def test_wrong_flags(arguments, changes, message):
    with pytest.raises(ValueError, match=message):
        run_classifier(**{**arguments, **changes})


def test_a_model_that_was_not_fine_tuned(arguments, tmp_path):
    with pytest.raises(ValueError, match="is not a fine-tuned model; expected one, .*: add --do_train"):
        run_classifier(do_eval=True, init_checkpoint=str(save_bert(tmp_path / "plain")), **arguments)


@pytest.mark.parametrize("line", ["import tokenization", "from bert import tokenization", "import bert.tokenization as "
                                  "tokenization", "from tfplm.tokenizers import tokenization"])
def test_a_file_may_import_tokenization_as_old_code_does(tmp_path, line):
    (tmp_path / "bert").mkdir()  # a folder of checkpoints is no module
    (tmp_path / "task.py").write_text(f"""{line}
from run_classifier import DataProcessor, processors

class Reviews(DataProcessor):
    def get_labels(self):
        return [tokenization.convert_to_unicode("差评".encode())]

processors["my_reviews"] = Reviews
""", encoding="utf-8")
    try:
        for name in ("my_reviews", "My-Reviews"):
            assert load_processor(str(tmp_path / "task.py"), name).get_labels() == ["差评"]
    finally:
        processors.pop("my_reviews")
    assert not {"tokenization", "bert", "bert.tokenization", "run_classifier"} & set(sys.modules)


def test_a_file_finds_the_modules_in_its_own_folder_first(tmp_path):
    (tmp_path / "tokenization.py").write_text("def convert_to_unicode(text):\n    return 'own'\n", encoding="utf-8")
    (tmp_path / "run_classifier.py").write_text("""import tokenization
from run_classifier import DataProcessor

class Reviews(DataProcessor):
    def get_labels(self):
        return [tokenization.convert_to_unicode("x")]
""", encoding="utf-8")
    try:
        found = load_processor(f"{tmp_path / 'run_classifier.py'}:Reviews", "any")
        assert found.get_labels() == ["own"] and str(tmp_path) not in sys.path
        with pytest.raises(ValueError, match="has no Review; it has tokenization, DataProcessor, Reviews: name one of"):
            load_processor(f"{tmp_path / 'run_classifier.py'}:Review", "any")
    finally:
        sys.modules.pop("tokenization", None)


def test_a_file_without_the_task(tmp_path):
    (tmp_path / "task.py").write_text("processors = {'mine': None}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="task 'mines' not found; there are cola, .*, wnli, mine; did you mean"):
        load_processor(str(tmp_path / "task.py"), "mines")
