"""Which engine `--engine auto` chooses, by the small files of a folder."""

import json
import subprocess
import sys

import pytest

from tfplm.options.serve import ENGINES, ServeOptions
from tfplm.serve.bert.commands import start_options
from tfplm.serve.engines.catalogue import choose

CLASSIFIER = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "bad", "1": "good"}}


def write(folder, config=None, task=None):
    for name, values in (("config", config), ("task", task)):
        if values is not None:
            (folder / f"{name}.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize("config, task, expected", [
    ({}, {"task": "classification", "settings": {}}, "classify"),
    ({}, {"task": "multi-label", "settings": {"pairs": True}}, "classify"),
    ({}, {"task": "regression", "settings": {"pairs": False}}, "classify"),
    ({}, {"task": "regression", "settings": {"pairs": True}}, "rerank"),
    (CLASSIFIER, {"task": "classification", "settings": {"pairs": True}}, "classify"),
    ({**CLASSIFIER, "id2label": {"0": "LABEL_0"}}, None, "rerank"),
    (CLASSIFIER, {"task": "tagging", "settings": {}}, "vectors"), (CLASSIFIER, None, "classify"),
    ({"architectures": ["BertModel"]}, None, "vectors"), ({}, None, "vectors"), (None, None, "vectors")])
def test_what_a_folder_is_made_for(tmp_path, config, task, expected):
    assert choose(ServeOptions(source=str(write(tmp_path, config, task)))).engine == expected


@pytest.mark.parametrize("options", [{"pooling_strategy": "CLASSIFICATION"}, {"pooling_layer": [-1]}, {"normalize": False},
                                     {"tuned_model_dir": "x"}, {"show_tokens_to_client": True}, {"engine": "vectors"}])
def test_options_of_vectors_ask_for_vectors(tmp_path, options):
    assert choose(ServeOptions(source=str(write(tmp_path, CLASSIFIER)), **options)).engine == "vectors"


def test_options_of_any_model_do_not(tmp_path):
    options = ServeOptions(source=str(write(tmp_path, CLASSIFIER)), max_seq_len=40, dtype="bfloat16", num_worker=2,
                           cpu=True, quiet=True, seed=3)
    assert choose(options).engine == "classify" and choose(options).max_seq_len == 40


def test_bert_serving_start_serves_vectors(tmp_path):
    assert choose(start_options(["-model_dir", str(write(tmp_path, CLASSIFIER))])).engine == "vectors"


def test_an_engine_that_is_not_there():
    with pytest.raises(ValueError, match=f"engine is 'sing', expected auto or one of {', '.join(ENGINES)}"):
        ServeOptions(source="x", engine="sing")


def test_choosing_needs_no_tensorflow(tmp_path):
    """The server's own process has none, where the models are in workers."""
    code = ("import sys; from tfplm.options.serve import ServeOptions; from tfplm.serve.engines.catalogue import choose\n"
            f"assert choose(ServeOptions(source={str(write(tmp_path, CLASSIFIER))!r})).engine == 'classify'\n"
            "assert not {'tensorflow', 'keras'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True)
