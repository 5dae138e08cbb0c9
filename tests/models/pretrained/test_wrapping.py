"""Checkpoints in which the model is a part of another module or graph: any common prefix, heads, other tensors."""

import numpy as np
import pytest

import tfplm
from tests.models import cases
from tfplm.core.checkpoints import open_checkpoint, write_safetensors, write_tf1
from tfplm.core.config import read_json, write_json
from tfplm.models.pretrained.weights import named_variables

PREFIXES = ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.bert.", "model.bert.", "bert_model.",
            "encoder.bert.", "encoder.", "bert.bert.", "net.0.backbone.", "my-own.BERT.v2.", "embeddings.", "a.b.c.d.e.",
            "a/b/", "tower/model.bert."]


@pytest.fixture(scope="module", params=["bert"])
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    tfplm.save_pretrained(cases.model("bert"), folder)
    return folder


def tensors_of(folder):
    with open_checkpoint(folder) as checkpoint:
        return {name: np.array(checkpoint[name]) for name in checkpoint}


def rewritten(saved, target, tensors, **config):
    write_json(target / "config.json", {**read_json(saved / "config.json"), **config})
    write_safetensors(target, tensors)
    return target


def assert_same(model, other):
    assert not other.loading_report.fresh
    for path, variable in named_variables(model).items():
        np.testing.assert_array_equal(variable, named_variables(other)[path], err_msg=path)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_any_common_prefix(saved, tmp_path, prefix):
    folder = rewritten(saved, tmp_path, {prefix + name: value for name, value in tensors_of(saved).items()})
    assert_same(cases.model("bert"), tfplm.from_pretrained(folder))


OTHERS = [
    ("roberta", "model.roberta."), ("albert", "encoder.albert."), ("electra", "discriminator.electra."),
    ("distilbert", "student."), ("gpt2", "policy.transformer."), ("gpt2", "lm."), ("t5", "model."), ("t5", "model.encoder."),
    ("bart", "generator.model."), ("bart", "bart."), ("modernbert", "backbone.model."), ("ernie", "model.ernie."),
    ("openai-gpt", "gpt.transformer."), ("mbart", "m.model."), ("xlm-roberta", "encoder.roberta."),
]
QUICK = [("roberta", "model.roberta."), ("gpt2", "lm."), ("t5", "model.encoder."), ("bart", "generator.model.")]


@pytest.mark.parametrize(("name", "prefix"), [
    case if case in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in OTHERS])
def test_every_family(tmp_path, name, prefix):
    tfplm.save_pretrained(cases.model(name), tmp_path / "a")
    tensors = tensors_of(tmp_path / "a")
    (tmp_path / "b").mkdir()
    rewritten(tmp_path / "a", tmp_path / "b", {prefix + key: value for key, value in tensors.items()})
    assert_same(cases.model(name), tfplm.from_pretrained(tmp_path / "b"))


@pytest.mark.parametrize(("backbone", "head"), [
    ("model.bert.", "model."), ("model.bert.", ""), ("model.bert.", "model.bert."), ("encoder.", ""),
    ("encoder.bert.", "task.head."), ("_orig_mod.model.bert.", "_orig_mod.model."),
])
def test_a_head_has_another_prefix_or_a_part_of_it(tmp_path, backbone, head):
    model = cases.model("bert", "sequence_classification")
    tfplm.save_pretrained(model, tmp_path)
    tensors = {backbone + name.removeprefix("bert.") if name.startswith("bert.") else head + name: value
               for name, value in tensors_of(tmp_path).items()}
    write_safetensors(tmp_path, tensors)
    assert_same(model, tfplm.from_pretrained(tmp_path, "sequence_classification"))


def test_tensors_of_other_modules_are_skipped_in_one_line(saved, tmp_path, caplog):
    tensors = {f"encoder.bert.{name}": value for name, value in tensors_of(saved).items()}
    tensors |= {f"decoder.layer_{i}.weight": np.zeros(3, np.float32) for i in range(9)}
    model = tfplm.from_pretrained(rewritten(saved, tmp_path, tensors))
    assert_same(cases.model("bert"), model)
    (record,) = [record for record in caplog.records if record.name == "tfplm"]
    assert "9 tensors outside of the prefix 'encoder.bert.' belong to other modules and are skipped: " in caplog.text
    assert len(record.getMessage()) < 400


def test_two_models_in_one_file_are_named(saved, tmp_path):
    tensors = {f"{side}.bert.{name}": value for side in ("student", "teacher") for name, value in tensors_of(saved).items()}
    with pytest.raises(ValueError, match=r"have 2 prefixes, '(student|teacher).bert.' \(\d\d names\), '\w+.bert.' \(\d\d "
                                         r"names\); expected one model under one prefix") as error:
        tfplm.from_pretrained(rewritten(saved, tmp_path, tensors))
    assert "\n" not in str(error.value)


def test_a_prefix_that_some_names_do_not_have_is_named(saved, tmp_path):
    tensors = tensors_of(saved)
    tensors = {name if "layer.1" in name or "embeddings" in name else f"model.{name}": value
               for name, value in tensors.items()}
    with pytest.raises(ValueError, match=r"16 names begin with 'model.'; expected no prefix for all of them") as error:
        tfplm.from_pretrained(rewritten(saved, tmp_path, tensors))
    assert len(str(error.value).splitlines()) < 20


def test_the_prefix_of_another_family_is_refused(saved, tmp_path):
    """RoBERTa's tensors have the same names, but its positions begin elsewhere."""
    tensors = {f"model.roberta.{name}": value for name, value in tensors_of(saved).items()}
    with pytest.raises(ValueError, match=r"names begin with 'model.roberta.', the prefix of roberta, but the config is that "
                                         "of bert"):
        tfplm.from_pretrained(rewritten(saved, tmp_path, tensors))
    config = {**read_json(saved / "config.json")}
    del config["model_type"]
    write_json(tmp_path / "config.json", {key: value for key, value in config.items() if key != "type_vocab_size"})
    write_safetensors(tmp_path, {f"model.bert.{name}": value for name, value in tensors_of(saved).items()})
    assert tfplm.from_pretrained(tmp_path).config.model_type == "bert"


@pytest.mark.parametrize("scope", ["my_scope/bert/", "my_scope/", "a/b/c/bert/", "model_1/bert/", "a.b/"])
def test_scopes_of_tf1_and_slots_of_optimizers(tmp_path, scope):
    model = cases.model("bert")
    tfplm.save_pretrained(model, tmp_path, format="tf1")
    tensors = {scope + name.removeprefix("bert/"): value for name, value in tensors_of(tmp_path).items()}
    outer = scope.partition("/")[0] + "/"
    slots = {f"{place}{name}/{slot}": value for name, value in tensors.items() for place, slot in (
        ("", "adam_m"), ("", "adam_v"), (outer, "Adam"), (outer, "Adam_1"))}
    write_tf1(tmp_path / "bert_model.ckpt", {**tensors, **slots, f"{outer}global_step": np.int64(3),
                                             f"{outer}beta1_power": np.float32(0.9)})
    assert_same(model, tfplm.from_pretrained(tmp_path))


def test_a_mismatch_has_a_handful_of_examples(saved, tmp_path):
    tensors = {f"other_{i}.weight": np.zeros(2, np.float32) for i in range(30)}
    with pytest.raises(ValueError, match=r"does not match the model \(\d+ problems\)") as error:
        tfplm.from_pretrained(rewritten(saved, tmp_path, tensors))
    assert "... and 26 more unexpected" in str(error.value) and len(str(error.value).splitlines()) < 16
