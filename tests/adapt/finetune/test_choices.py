"""Multiple choice, with the same and with different numbers of choices."""

import json

import numpy as np
import pytest

from tests.adapt.adapt_cases import BAD, GOOD, train
from tfplm.adapt.finetune.predict import run as predict
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.tasks.choices import MultipleChoice
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.data.batches.batching import collate
from tfplm.data.tasks.examples import ChoiceExample
from tfplm.tokenizers import Tokenizer


def write_choices(folder, repeat: int = 40):
    """Writes questions: which of two or three sentences is positive?"""
    folder.mkdir()
    rows = []
    for index, (good, bad) in enumerate(zip(GOOD, BAD)):
        choices = [bad, BAD[index - 1]][:1 + index % 2]
        choices.insert(index % 3 % (len(choices) + 1), good)
        rows.append({"text": "哪一句好?", "choices": choices, "label": choices.index(good)})
    for split in ("train", "dev"):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows * (repeat if split == "train" else 1)]
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def test_different_numbers_of_choices(tiny):
    task = MultipleChoice(Tokenizer.from_pretrained(tiny), TaskSettings(max_length=16))
    examples = [ChoiceExample(GOOD[0], ("好", "坏"), 1), ChoiceExample("好", ("好", "坏", "好" * 30), 0)]
    batch = collate(task.features(examples, True), 16)
    assert batch["input_ids"].shape == batch["token_type_ids"].shape == batch["attention_mask"].shape == (2, 3, 16)
    assert batch["attention_mask"].sum(-1)[0].tolist()[2] == 1 and batch["attention_mask"].sum(-1)[1].tolist()[2] == 16
    _, labels, _ = task.split(batch)
    assert labels.tolist() == [[1, 2], [0, 3]]
    (row, _) = task.decode([np.array([0.0, 1.0, 9.0]), np.array([0.0, 1.0, 9.0])], None, examples, None)
    assert row["choice"] == 1 and row["text"] == "坏" and len(row["probabilities"]) == 2


def test_number_of_choices_equal_to_the_width_of_a_row(tiny, tmp_path):
    import tfplm
    from tfplm.adapt.finetune.inference import Inference

    task = MultipleChoice(Tokenizer.from_pretrained(tiny), TaskSettings(max_length=16))
    examples = [ChoiceExample("好", tuple("这部电影非常好看"), 7), ChoiceExample("坏", tuple("这部电影非常"), 0)]
    model = tfplm.from_pretrained(tiny, "multiple_choice")
    outputs = task.outputs(model, task.features(examples, False), Inference(model))
    assert [len(row) for row in outputs] == [8, 8]


@pytest.mark.slow
def test_overfits_a_few_examples(tiny, tmp_path):
    data = write_choices(tmp_path / "data")
    result = train(tiny, tmp_path / "model", task="multiple-choice", data=str(data), epochs=3)
    assert result.dev["accuracy"] >= 0.9
    (row,) = Predictor.from_pretrained(tmp_path / "model").predict([("哪一句好?", [BAD[0], GOOD[0]])])
    assert row["choice"] == 1 and row["text"] == GOOD[0] and sum(row["probabilities"]) == pytest.approx(1)
    with pytest.raises(ValueError, match="texts were given without choices; expected a file"):
        predict(source=str(tmp_path / "model"), texts=["a"])
    rows = predict(source=str(tmp_path / "model"), file=str(data / "dev.jsonl"), output=str(tmp_path / "o.tsv"), quiet=True)
    assert len(rows) == len(GOOD)
    assert (tmp_path / "o.tsv").read_text(encoding="utf-8").startswith("source\tchoice\ttext\tprobabilities\n")


@pytest.mark.slow
@pytest.mark.parametrize("preset, size", [("bilstm", 32), ("textcnn", 36)])
def test_other_models(tmp_path, preset, size):
    data = write_choices(tmp_path / "data")
    result = train(None, tmp_path / "model", task="multiple-choice", data=str(data), epochs=2, preset=preset,
                   hidden_size=size, embedding_size=32, vocab_size=400)
    assert result.dev["accuracy"] >= 0.5
    assert Predictor.from_pretrained(tmp_path / "model").predict([("哪", ["好", "坏", "差"])])[0]["choice"] in (0, 1, 2)
