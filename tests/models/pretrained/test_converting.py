"""`tfplm convert`: what belongs to a model goes with it, or is named; a full disk is named, too."""

import json
import shutil

import numpy as np
import pytest

import tfplm
from tests.models import cases
from tfplm.core.checkpoints import open_checkpoint
from tfplm.core.config import read_json, write_json
from tfplm.models.pretrained import companions
from tfplm.models.pretrained.api import save_pretrained
from tfplm.models.pretrained.converting import convert

MODULES = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Dense", "Dense"),
           ("3", "3_Normalize", "Normalize")]


@pytest.fixture
def sentences(folder, tmp_path):
    """A folder of sentence-transformers with pooling, a projection, normalization, a length limit and prompts."""
    path = tmp_path / "sentences"
    shutil.copytree(folder, path)
    write_json(path / "sentence_bert_config.json", {"max_seq_length": 17, "do_lower_case": False})
    write_json(path / "config_sentence_transformers.json", {"prompts": {"query": "q: "}, "default_prompt_name": None})
    write_json(path / "generation_config.json", {"max_length": 5})
    for name in ("1_Pooling", "2_Dense"):
        (path / name).mkdir()
        write_json(path / name / "config.json", {"word_embedding_dimension": 12, "pooling_mode_mean_tokens": True})
    (path / "2_Dense" / "pytorch_model.bin").write_bytes(b"weights")
    (path / "modules.json").write_text(json.dumps([
        {"idx": int(index), "name": index, "path": name, "type": f"sentence_transformers.models.{kind}"}
        for index, name, kind in MODULES]), encoding="utf-8")
    return path


def names(path):
    return {str(file.relative_to(path)) for file in path.rglob("*")}


def test_the_modules_of_sentence_transformers_are_copied(sentences, tmp_path, capsys):
    convert(source=str(sentences), target=str(tmp_path / "hf"))
    assert names(tmp_path / "hf") >= names(sentences) - {"tokenizer_config.json", "3_Normalize"} | {"3_Normalize"}
    for name in ("modules.json", "sentence_bert_config.json", "2_Dense/pytorch_model.bin", "generation_config.json"):
        assert (tmp_path / "hf" / name).read_bytes() == (sentences / name).read_bytes()
    assert "not carried" not in capsys.readouterr().out


def test_vectors_are_the_same_after_the_conversion(minilm, tmp_path):
    text = ["A man is playing a guitar.", "Stocks fell."]
    convert(source=str(minilm), target=str(tmp_path / "hf"), quiet=True)
    before, after = (tfplm.SentenceEncoder.from_pretrained(path) for path in (minilm, tmp_path / "hf"))
    np.testing.assert_array_equal(before.encode(text), after.encode(text))
    assert np.allclose(np.linalg.norm(after.encode(text), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("layout", ["tf1", "keras"])
def test_other_layouts_name_what_they_cannot_carry(sentences, tmp_path, capsys, layout):
    convert(source=str(sentences), target=str(tmp_path / layout), format=layout)
    assert ("not carried: pooling, dense projection, normalisation, length limit of 17 tokens, prompts\n"
            in capsys.readouterr().out)
    assert not (tmp_path / layout / "modules.json").exists()


def test_a_model_in_a_folder_of_its_own(sentences, tmp_path):
    """As sentence-transformers 1 and 2 save it, in 0_Transformer."""
    old = tmp_path / "old"
    (old / "0_Transformer").mkdir(parents=True)
    for path in sentences.iterdir():
        shutil.move(path, old / path.name if path.is_dir() or path.name == "modules.json" else old / "0_Transformer")
    modules = json.loads((old / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (old / "modules.json").write_text(json.dumps(modules))
    convert(source=str(old), target=str(tmp_path / "new"), quiet=True)
    assert names(tmp_path / "new") >= {"modules.json", "0_Transformer/config.json", "0_Transformer/model.safetensors",
                                       "0_Transformer/sentence_bert_config.json", "1_Pooling/config.json"}
    assert not (tmp_path / "new" / "config.json").exists()


def test_the_settings_of_a_task_are_copied(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "task")
    write_json(tmp_path / "task" / "task.json", {"task": "classification"})
    for layout in ("hf", "tf1"):
        convert(source=str(tmp_path / "task"), target=str(tmp_path / layout), format=layout, quiet=True)
        assert read_json(tmp_path / layout / "task.json") == {"task": "classification"}


@pytest.mark.parametrize("path", ["../outside", "/etc", "a/../../b", 3, None, "a\\b"])
def test_modules_outside_of_the_folder_are_refused(tmp_path, path):
    (tmp_path / "modules.json").write_text(json.dumps([{"idx": 0, "path": path, "type": "x.Transformer"}]))
    with pytest.raises(ValueError, match="modules.json has the module"):
        companions.modules(tmp_path)
    (tmp_path / "modules.json").write_text('{"a": 1}')
    with pytest.raises(ValueError, match="modules.json contains a dict, expected a JSON array"):
        companions.modules(tmp_path)


def without_pooler(tmp_path):
    save_pretrained(cases.model("bert"), tmp_path / "whole")
    with open_checkpoint(tmp_path / "whole") as checkpoint:
        tensors = {name: np.array(checkpoint[name]) for name in checkpoint if "pooler" not in name}
    from tfplm.core.checkpoints import write_safetensors
    write_safetensors(tmp_path / "whole", tensors)
    return tmp_path / "whole", set(tensors)


@pytest.mark.parametrize("layout", ["hf", "tf1"])
def test_a_missing_pooler_is_not_invented(tmp_path, capsys, layout):
    source, tensors = without_pooler(tmp_path)
    convert(source=str(source), target=str(tmp_path / "new"), format=layout)
    assert "not carried: pooler (the checkpoint has none)" in capsys.readouterr().out
    with open_checkpoint(tmp_path / "new") as checkpoint:
        assert not [name for name in checkpoint if "pooler" in name] and len(checkpoint) == len(tensors)
    again = tfplm.from_pretrained(tmp_path / "new")
    assert again.loading_report.fresh == ["pooler/bias", "pooler/kernel"]


def test_a_trained_pooler_is_written(tmp_path):
    source, _ = without_pooler(tmp_path)
    model = tfplm.from_pretrained(source)
    model.pooler.kernel.assign(model.pooler.kernel + 1)
    save_pretrained(model, tmp_path / "new")
    assert tfplm.from_pretrained(tmp_path / "new").loading_report.fresh == []


def test_keys_of_a_saved_config_have_a_fixed_order(tmp_path):
    """Not that of Python's sets, which differs from process to process."""
    import subprocess
    import sys
    code = ("import sys, json; from tfplm.families import registry; "
            "print(json.dumps([registry.family(n).write_config(registry.preset(p), 'hf')[0] for n, p in "
            "(('bert', 'bert-tiny'), ('t5', 't5-small'), ('albert', 'albert-base-v2'))]))")
    printed = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                              env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}).stdout for seed in "123"}
    assert len(printed) == 1


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_and_says_where_and_how_much(folder, tmp_path):
    import subprocess
    import sys
    code = """if True:
        import resource, sys
        from tfplm.models.pretrained.converting import convert
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
        for layout in ("hf", "tf1", "keras"):
            try:
                convert(source=sys.argv[1], target=sys.argv[2] + layout, format=layout, quiet=True)
            except OSError as error:
                print(error)
    """
    result = subprocess.run([sys.executable, "-c", code, str(folder), str(tmp_path) + "/"], capture_output=True, text=True,
                            check=True)
    lines = result.stdout.splitlines()
    for line, path in zip(lines, ("hf/model.safetensors", "tf1/bert_model.ckpt.index", "keras"), strict=True):
        assert "the disk is full, or a size limit was reached: it needs " in line and f"{tmp_path}/{path}" in line, line
    assert not list(tmp_path.iterdir())
