"""The start of a fine-tuning: lengths, tokenizer, labels, and when the head is kept."""

import dataclasses

import pytest

import tfplm
from tests.adapt.adapt_cases import GOOD, save_bert
from tfplm.adapt.finetune.evaluate import evaluate
from tfplm.adapt.finetune.predict import run as predict
from tfplm.adapt.finetune.run import with_defaults
from tfplm.adapt.finetune.start import Start, make_model, make_task, open_start
from tfplm.data.tasks.labels import LabelMap
from tfplm.options.finetune import EvaluateOptions, FinetuneOptions, PredictOptions


def start_of(**options) -> Start:
    options = with_defaults(FinetuneOptions(**options))
    return Start.of(options, tfplm.Tokenizer.from_pretrained(options.init))


@pytest.mark.parametrize("asked, found", [(400, 64), (32, 32)])
def test_rows_are_limited_by_the_option_and_the_model(tiny, asked, found):
    start = start_of(init=str(tiny), max_length=asked)
    task = make_task(start)
    assert start.options.max_length == task.settings.max_length == found
    task.labels = LabelMap(["a", "b"])
    assert make_model(start, task).config.position_limit == 64


def test_new_models_have_positions_for_max_length(tmp_path):
    """If max_position_embeddings is given, it limits the rows instead."""
    fresh = {"preset": "bert-tiny", "num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 1, "vocab_size": 200}
    for changes, positions, rows in (({"max_length": 600}, 600, 600),
                                     ({"max_length": 600, "max_position_embeddings": 40}, 40, 40)):
        start = open_start(with_defaults(FinetuneOptions(**fresh, **changes)), GOOD, tmp_path)
        assert (start.config.position_limit, start.options.max_length) == (positions, rows) and start.source is None
        assert start.config.vocab_size == len(start.tokenizer) <= 200


def test_labels_and_head_of_the_same_task_are_kept(classifier, tagger):
    same = start_of(init=str(classifier.folder))
    assert same.grows and make_task(same).labels.names == ("好评", "差评")
    other = start_of(init=str(classifier.folder), task="tagging")
    assert not other.grows and other.labels is None
    given = Start.of(same.options, same.tokenizer, LabelMap(["中评", "好评", "差评"]))
    assert given.grows and make_task(given).labels.names == ("中评", "好评", "差评")


def test_gpt_tokens_enlarge_the_vocabulary(tmp_path):
    folder = save_bert(tmp_path / "gpt", "gpt2", intermediate_size=None)
    options = with_defaults(FinetuneOptions(init=str(folder), gpt_inputs=True))
    start = open_start(options, (), tmp_path)
    task = make_task(start)
    task.labels = LabelMap(["a", "b"])
    assert start.config.vocab_size == start.source.vocab_size + 3 == len(start.tokenizer)
    assert make_model(start, task).config.vocab_size == len(start.tokenizer)


def test_evaluation_and_prediction_do_not_change_the_options(classifier, tmp_path):
    for function, options in (
            (evaluate, EvaluateOptions(source=str(classifier.folder), data=str(classifier.data), quiet=True,
                                       label_kind="number")),
            (predict, PredictOptions(source=str(classifier.folder), texts=GOOD[:1], output=str(tmp_path / "found.json"),
                                     label_kind="number", quiet=True))):
        before = dataclasses.asdict(options)
        function(options)
        assert dataclasses.asdict(options) == before
