"""`tfplm run-classifier`: the workflow, flags and files of BERT's `run_classifier.py`."""

import pytest

from tests.adapt.adapt_cases import BAD, GOOD, save_bert
from tfplm.adapt.run_classifier import run_classifier
from tfplm.training.loop.run_folder import RESULTS

PROCESSOR = '''
import os
from tfplm.data.tasks.processors import DataProcessor, InputExample


class Reviews(DataProcessor):
    def examples(self, data_dir, split):
        rows = self._read_tsv(os.path.join(data_dir, split + ".tsv"))
        return [InputExample(f"{split}-{i}", row[0], label=row[1]) for i, row in enumerate(rows)]

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


def test_train_evaluate_and_predict(arguments, tiny, tmp_path):
    found = run_classifier(do_train=True, do_eval=True, do_predict=True, init_checkpoint=str(tiny), max_seq_length=400,
                           learning_rate=3e-3, num_train_epochs=2.0, train_batch_size=16, **arguments)
    assert found["eval_accuracy"] >= 0.9 and found["global_step"] == 30
    assert (tmp_path / "out" / "eval_results.txt").read_text().startswith("eval_accuracy = ")
    lines = (tmp_path / "out" / "test_results.tsv").read_text().splitlines()
    rows = [list(map(float, line.split("\t"))) for line in lines]
    assert len(rows) == 16 and all(sum(row) == pytest.approx(1, abs=1e-5) for row in rows)
    assert [row[1] > row[0] for row in rows].count(True) == 8  # in the order of get_labels
    assert (tmp_path / "out" / RESULTS).is_file()
    again = run_classifier(do_eval=True, **arguments)
    assert again == pytest.approx(found)  # evaluates the model in the output folder


@pytest.mark.parametrize("changes, message", [
    ({}, "no step was given; expected --do_train, --do_eval or --do_predict: add"),
    ({"do_train": True}, "--do_train was given without a model; .* add --init_checkpoint"),
    ({"do_train": True, "num_train_epochs": 1.5, "init_checkpoint": "x"}, "num_train_epochs is 1.5; expected a whole"),
    ({"do_eval": True, "use_tpu": True}, "TPUs are not supported: omit it"),
    ({"do_eval": True, "processor": "reviews.py"}, "'reviews.py'; expected file.py:ClassName of an existing file")])
def test_wrong_flags(arguments, changes, message):
    with pytest.raises(ValueError, match=message):
        run_classifier(**{**arguments, **changes})


def test_a_model_that_was_not_fine_tuned(arguments, tmp_path):
    with pytest.raises(ValueError, match="is not a fine-tuned model; expected one, .*: add --do_train"):
        run_classifier(do_eval=True, init_checkpoint=str(save_bert(tmp_path / "plain")), **arguments)
