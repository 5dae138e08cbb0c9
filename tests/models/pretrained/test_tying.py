"""The tensors of a checkpoint, not the flag in its config, determine if logits use the token embeddings."""

import json
import shutil

import numpy as np
import pytest

import tfplm
from tests.models import cases, golden
from tfplm.core.checkpoints import open_checkpoint, write_safetensors
from tfplm.core.config import read_json
from tfplm.models.pretrained.source import open_source
from tfplm.models.pretrained.weights import named_variables

# case -> (head, the embeddings' and the output matrix's names in Hugging Face's file)
MODELS = {
    "t5": ("seq2seq_lm", "shared.weight", "lm_head.weight"),
    "mt5": ("seq2seq_lm", "shared.weight", "lm_head.weight"),
    "gpt2": ("causal_lm", "transformer.wte.weight", "lm_head.weight"),
    "openai-gpt": ("causal_lm", "transformer.tokens_embed.weight", "lm_head.weight"),
    "bert": ("masked_lm", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    "albert": ("pretraining", "albert.embeddings.word_embeddings.weight", "predictions.decoder.weight"),
    "roberta": ("masked_lm", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"),
    "electra": ("masked_lm", "electra.embeddings.word_embeddings.weight", "generator_lm_head.weight"),
    "distilbert": ("masked_lm", "distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight"),
    "bart": ("seq2seq_lm", "model.shared.weight", "lm_head.weight"),
}


def saved(folder, name: str, matrix: str, flag: bool | None, **more):
    """Saves a model with this flag, and an output matrix: "absent", "equal" (to the embeddings), or "own"."""
    head, table, output = MODELS[name]
    model = tfplm.from_config(cases.CASES[name].replace(tie_word_embeddings=True, lm_scale=False), head)
    tfplm.save_pretrained(model, folder)
    with open_checkpoint(folder) as checkpoint:
        tensors = {key: np.array(checkpoint[key]) for key in checkpoint}
    assert table in tensors and output not in tensors
    if matrix != "absent":
        tensors[output] = tensors[table] + (matrix == "own") * np.float32(0.25)
    write_safetensors(folder, tensors)
    config = {**read_json(folder / "config.json"), "tie_word_embeddings": flag, **more}
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return head, tensors


FORMS = [(name, matrix, flag) for name in ("t5", "mt5", "gpt2", "bert") for matrix in ("absent", "equal", "own")
         for flag in (True, False)]
OTHERS = [(name, matrix, matrix == "own") for name in MODELS for matrix in ("absent", "own")]  # the flag is wrong


@pytest.mark.parametrize(("name", "matrix", "flag"), dict.fromkeys(FORMS + OTHERS))
def test_weights_determine_tying(name, matrix, flag, tmp_path):
    head, tensors = saved(tmp_path / "a", name, matrix, flag)
    model = tfplm.from_pretrained(tmp_path / "a", head)
    variables, kernel = named_variables(model), "lm_decoder/kernel"
    assert model.loading_report.fresh == [] and model.config == open_source(tmp_path / "a").config_for(head)
    assert model.config.tie_word_embeddings == (kernel not in variables)
    expected = tensors[MODELS[name][1]] + (matrix == "own") * np.float32(0.25)
    found = variables[kernel].numpy().T if kernel in variables else variables["embeddings/word/embeddings"].numpy()
    np.testing.assert_array_equal(found, expected)
    tfplm.save_pretrained(model, tmp_path / "b")  # and back
    with open_checkpoint(tmp_path / "b") as checkpoint:
        assert (MODELS[name][2] in checkpoint) == (kernel in variables)
    again = tfplm.from_pretrained(tmp_path / "b", head)
    assert again.config == model.config
    for path, variable in named_variables(again).items():
        np.testing.assert_array_equal(variable, variables[path], err_msg=path)


@pytest.mark.parametrize("name", ["t5-v1_1-tied-seq2seq_lm", "mt5-tied-seq2seq_lm"])
def test_published_flag_without_a_matrix(name, tmp_path):
    """`tie_word_embeddings: false`, as the files of T5 v1.1 say, and no lm_head: the reference's outputs all the same."""
    shutil.copytree(golden.FOLDER / name, tmp_path / "model")
    config = read_json(tmp_path / "model" / "config.json") | {"tie_word_embeddings": False}
    config.pop("scale_decoder_outputs", None)
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    model = tfplm.from_pretrained(tmp_path / "model", "seq2seq_lm")
    assert model.config.tie_word_embeddings and not model.config.lm_scale and model.loading_report.fresh == []
    expected = golden.reference(name)["logits"]
    found = golden.real(name, "logits", model(golden.batch(name)).numpy())
    np.testing.assert_allclose(found, golden.real(name, "logits", expected), rtol=0, atol=1e-5)


def test_without_a_head_in_the_checkpoint_the_flag_is_used(tmp_path, caplog):
    config = cases.CASES["mt5"].replace(tie_word_embeddings=False, lm_scale=False)
    tfplm.save_pretrained(tfplm.from_config(config), tmp_path)
    model = tfplm.from_pretrained(tmp_path, "seq2seq_lm")
    assert model.loading_report.fresh == ["lm_decoder/kernel"] and "newly initialized: lm_decoder" in caplog.text


def test_parts_of_a_head_indicate_the_head(tmp_path):
    """Without a class name, a bias over the vocabulary shows that the checkpoint has the head, without a matrix."""
    saved(tmp_path, "bert", "absent", False, architectures=None)
    model = tfplm.from_pretrained(tmp_path, "masked_lm")
    assert model.config.tie_word_embeddings and model.loading_report.fresh == []


def test_scale_of_outputs(tmp_path):
    """`scale_decoder_outputs` of transformers changes the logits, is understood, and is saved."""
    logits = {}
    for scale in (True, False):
        saved(tmp_path, "t5", "own", True, scale_decoder_outputs=scale)
        model = tfplm.from_pretrained(tmp_path, "seq2seq_lm")
        tfplm.save_pretrained(model, tmp_path / "again")
        assert read_json(tmp_path / "again" / "config.json")["scale_decoder_outputs"] is scale
        assert tfplm.from_pretrained(tmp_path / "again", "seq2seq_lm").config == model.config
        kernel = named_variables(model)["lm_decoder/kernel"]
        kernel.assign(np.linspace(-1, 1, kernel.shape[0] * kernel.shape[1]).reshape(kernel.shape))
        for path, variable in named_variables(model).items():
            if path != "lm_decoder/kernel":
                variable.assign(np.cos(np.arange(variable.numpy().size)).reshape(variable.shape))
        logits[scale] = model(cases.batch("t5")).numpy()
    np.testing.assert_allclose(logits[True], logits[False] / np.sqrt(model.config.hidden_size), rtol=1e-4, atol=1e-5)


def test_headless_models_do_not_read_the_matrices(tmp_path, monkeypatch):
    from tfplm.core.checkpoints import Checkpoint

    saved(tmp_path, "bert", "own", True)
    names, read = [], Checkpoint.read
    monkeypatch.setattr(Checkpoint, "read", lambda self, name: names.append(name) or read(self, name))
    tfplm.from_pretrained(tmp_path)
    assert len(names) == len(set(names)) and not any("predictions" in name for name in names)
