"""Resolution of sources: paths, the Hugging Face cache, the hub; without the network."""

import logging
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tfplm.core import sources
from tfplm.core.sources import cache_folder, config_file, layout_of, resolve
from tfplm.core.suggest import did_you_mean, nearest
from tfplm.families import registry
from tfplm.families.registry import tf1_configs

NAME = "hfl/chinese-roberta-wwm-ext"


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """A separate home, working directory and cache; no network."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", None)  # another test may have imported it
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(home)
    return home


def files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return folder


def snapshot(cache: Path, revision: str, *names: str, main: bool = False) -> Path:
    repository = cache / "models--hfl--chinese-roberta-wwm-ext"
    if main:
        files(repository / "refs", "main")
        (repository / "refs" / "main").write_text(revision + "\n")
    return files(repository / "snapshots" / revision, *names)


def test_existing_paths_are_returned(tmp_path, offline, monkeypatch):
    model = files(tmp_path / "模型", "config.json", "model.safetensors")
    assert resolve(model) == resolve(str(model)) == model
    files(tmp_path, "a.keras", "bert.ckpt.index")
    assert resolve(tmp_path / "a.keras") == tmp_path / "a.keras"
    assert resolve(str(tmp_path / "bert.ckpt")) == tmp_path / "bert.ckpt"
    files(offline / "models" / "bert", "config.json")
    assert resolve("~/models/bert") == offline / "models" / "bert"
    assert resolve("models/bert") == Path("models/bert")  # a local directory has priority over a name on the hub


def test_a_file_of_the_model_is_not_the_model(tmp_path):
    files(tmp_path, "model.safetensors")
    with pytest.raises(ValueError, match=r"model.safetensors is a file; expected the directory that contains it"):
        resolve(tmp_path / "model.safetensors")


@pytest.mark.parametrize("typed", ["./models/brt-base", "~/models/brt-base", "{home}/models/brt-base",
                                   "a/b/../../models/brt-base", Path("models/brt-base")])
def test_a_path_that_does_not_exist(offline, typed):
    files(offline / "models" / "bert-base", "config.json")
    files(offline / "a" / "b", "x")
    typed = typed.format(home=offline) if isinstance(typed, str) else typed
    with pytest.raises(FileNotFoundError, match=r"there is no .*models contains no brt-base; did you mean 'bert-") as e:
        resolve(typed)
    assert "hub" not in str(e.value)


def test_the_nearest_parent_that_exists(offline):
    with pytest.raises(FileNotFoundError, match=r"home contains no models$"):
        resolve("./models/bert/large")


@pytest.mark.parametrize("variables, folder", [
    ({"HF_HUB_CACHE": "{t}/a", "HF_HOME": "{t}/b"}, "a"), ({"HF_HOME": "{t}/b"}, "b/hub"),
    ({"XDG_CACHE_HOME": "{t}/c"}, "c/huggingface/hub"), ({"HF_HOME": "~/d"}, "home/d/hub"),
    ({}, "home/.cache/huggingface/hub")])
def test_the_cache(tmp_path, monkeypatch, variables, folder):
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value.format(t=tmp_path))
    assert cache_folder() == tmp_path / folder
    found = snapshot(cache_folder(), "abc", "config.json", "model.safetensors", main=True)
    assert resolve(NAME) == found


def test_the_best_snapshot_is_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    bare = snapshot(tmp_path, "c1", "vocab.txt", main=True)
    assert resolve(NAME) == bare  # enough for a tokenizer
    old = snapshot(tmp_path, "c2", "config.json", "pytorch_model.bin")
    new = snapshot(tmp_path, "c3", "config.json", "pytorch_model.bin")
    os.utime(old, (1, 1))
    assert resolve(NAME) == new
    snapshot(tmp_path, "c2", main=True)
    assert resolve(NAME) == old


def test_a_name_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError) as error:
        resolve(NAME)
    for part in (f"'{NAME}' was not found as a path", str(tmp_path / "cache"), "not tried, HF_HUB_OFFLINE is set",
                 "no models--hfl--chinese-roberta-wwm-ext", "Put config.json, model.safetensors and the tokenizer"):
        assert part in str(error.value)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(FileNotFoundError, match=r"huggingface_hub is not installed: pip install huggingface_hub"):
        resolve("bert-base-chinese")


class FakeHub(types.ModuleType):
    """A replacement for huggingface_hub with the files of one repository; it records the requests."""

    def __init__(self, folder, names=None):
        super().__init__("huggingface_hub")
        self.folder, self.names = folder, names

    def HfApi(self):
        return self

    def list_repo_files(self, name):
        if self.names is None:
            raise ConnectionError("no route\nmore of it")
        return self.names

    def snapshot_download(self, name, cache_dir, allow_patterns):
        self.asked = name, cache_dir, allow_patterns
        return str(self.folder)


@pytest.mark.parametrize("names, pattern", [
    (["config.json", "pytorch_model.bin", "model.safetensors", "onnx/model.onnx"], "model*.safetensors"),
    (["pytorch_model-00001-of-00002.bin", "other/model.safetensors"], "pytorch_model*.bin"),
    (["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"], "*.ckpt*")])
def test_download(tmp_path, monkeypatch, names, pattern):
    hub = FakeHub(tmp_path, names)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert resolve(NAME) == tmp_path
    name, cache, patterns = hub.asked
    assert (name, cache, patterns[-1]) == (NAME, str(cache_folder()), pattern)
    assert "*.json" in patterns and "*.txt" in patterns and "*.model" in patterns


def test_download_fails(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setitem(sys.modules, "huggingface_hub", FakeHub(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"on the hub \(ConnectionError: no route\)"):
        resolve(NAME)
    monkeypatch.setitem(sys.modules, "huggingface_hub", FakeHub(tmp_path, ["README.md"]))
    with pytest.raises(FileNotFoundError, match=r"on the hub \(the repository has no model\*.safetensors, pytorch"):
        resolve(NAME)


@pytest.mark.parametrize("names, layout, config", [
    (["config.json", "model.safetensors", "vocab.txt"], "hf", "config.json"),
    (["config.json", "model.safetensors.index.json"], "hf", "config.json"),
    (["bert_config.json", "pytorch_model.bin"], "hf", "bert_config.json"),
    (["config.json", "bert_config.json", "pytorch_model.bin"], "hf", "config.json"),
    (["bert_config.json", "bert_model.ckpt.index", "vocab.txt"], "tf1", "bert_config.json"),
    (["config.json", "bert_config.json", "bert_model.ckpt.index"], "tf1", "bert_config.json"),
    (["albert_config.json", "model.ckpt-best.index"], "tf1", "albert_config.json"),
    (["hparams.json", "encoder.json", "model.ckpt.index", "checkpoint"], "tf1", "hparams.json"),
    (["bert_config_rbt3.json", "tokenizer_config.json", "bert_model.ckpt.index"], "tf1", "bert_config_rbt3.json"),
    (["config.json", "bert_model.ckpt.index"], "tf1", "config.json")])
def test_layouts_and_configs(tmp_path, names, layout, config):
    files(tmp_path, *names)
    assert layout_of(tmp_path) == layout
    assert config_file(str(tmp_path), tf1_configs()) == tmp_path / config


def test_toy_checkpoints(data):
    for name, config in (("bert_toy", "bert_config"), ("gpt2_toy", "hparams"), ("xlnet_toy_pre", "xlnet_config")):
        folder = resolve(data("tiny_checkpoints", name))
        assert layout_of(folder) == "tf1" and config_file(folder, tf1_configs()) == folder / f"{config}.json"
    prefix = data("tiny_checkpoints", "bert_toy") / "bert_model.ckpt"
    assert layout_of(resolve(prefix)) == "tf1" and config_file(prefix, tf1_configs()).name == "bert_config.json"


def test_keras_files(tmp_path):
    files(tmp_path, "m.keras")
    assert layout_of(tmp_path) == layout_of(tmp_path / "m.keras") == "keras"
    for source in (tmp_path, tmp_path / "m.keras"):
        with pytest.raises(FileNotFoundError, match=r"a .keras file contains its config"):
            config_file(source, tf1_configs())


def test_directories_without_a_model(tmp_path):
    tmp_path = tmp_path / "model"
    tmp_path.mkdir()
    with pytest.raises(FileNotFoundError, match=r"no model in .*; expected config.json with .*; found: nothing"):
        layout_of(tmp_path)
    files(tmp_path, "config.json", "tf_model.h5")
    with pytest.raises(FileNotFoundError, match=r"found: config.json, tf_model.h5"):
        layout_of(tmp_path)
    files(tmp_path, *(f"checkpoint-{i}" for i in range(30)))
    with pytest.raises(FileNotFoundError, match=r"and 12 more$"):
        layout_of(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no such directory"):
        layout_of(tmp_path / "none")


def test_no_config(tmp_path):
    files(tmp_path, "electra_small.index", "tokenizer_config.json")
    with pytest.raises(FileNotFoundError, match=r"no config in .*; expected config.json or one of albert_config.json"):
        config_file(tmp_path, tf1_configs())
    files(tmp_path, "bert_config_a.json", "bert_config_b.json")
    with pytest.raises(FileNotFoundError, match=r"more than one config in .*found: bert_config_a.json, bert"):
        config_file(tmp_path, tf1_configs())


def test_suggestions():
    assert nearest("hiden_size", ["hidden_size", "num_layers"]) == ["hidden_size"]
    assert nearest("BERT_Base", ["bert_base", "gpt2"]) == ["bert_base"]
    assert len(nearest("layer_1", [f"layer_{i}" for i in range(9)], 3)) == 3
    assert did_you_mean("brt", ["bert", "gpt2"]) == "; did you mean 'bert'?"
    assert did_you_mean("xyz", ["bert", "gpt2"]) == "" and sources.did_you_mean is did_you_mean


@pytest.mark.parametrize("name", ["demo-tf1/model.ckpt", "demo-tf1/bert", "a/b/c", "model.ckpt", "data.txt", "x.json",
                                  "weights.safetensors", "a--b/c", "a..b", "-a", "a-", "a/b.", "a/-b", "模型", "a b",
                                  "x" * 97, "a/b.git", "a/", "http://huggingface.co/a/b", "C:\\models", "a/b.zip",
                                  "MODEL.BIN"])
def test_names_that_cannot_be_on_the_hub_are_never_asked_of_it(offline, monkeypatch, name):
    files(offline / "demo-tf1", "model.ckpt.data-00000-of-00001")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(sources, "_download", lambda name: pytest.fail("asked"))
    with pytest.raises(FileNotFoundError, match="there is no ") as error:
        resolve(name)
    assert "hub" not in str(error.value).replace("huggingface.co", "")


@pytest.mark.parametrize("name", ["bert-base-chinese", NAME, "a/b", "a.b/c_d-e.f", "x" * 96])
def test_names_that_can_be_on_the_hub(monkeypatch, tmp_path, name):
    monkeypatch.setattr(sources, "_download", lambda asked: (tmp_path, "") if asked == name else (None, "other"))
    assert resolve(name) == tmp_path


def test_one_short_attempt_without_a_word(tmp_path):
    """With a hub that refuses connections: the reason and HF_HUB_OFFLINE in the error, and nothing else is printed."""
    pytest.importorskip("huggingface_hub")
    code = ("import sys, time; from tfplm.core.sources import resolve; start = time.perf_counter()\n"
            "try: resolve('someone/something')\n"
            "except FileNotFoundError as error: print(error)\n"
            "assert time.perf_counter() - start < 15")
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "no_proxy": "*"}
    del environment["HF_HUB_OFFLINE"]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    assert "on the hub (127.0.0.1 cannot be reached: " in result.stdout and "HF_HUB_OFFLINE=1" in result.stdout


def test_other_libraries_are_silent_while_the_hub_is_asked(monkeypatch, tmp_path, caplog):
    class Talking(FakeHub):
        def list_repo_files(self, name):
            logging.getLogger("huggingface_hub.utils").warning("Retrying in 8s")
            raise ConnectionError("no route")

    level = logging.getLogger("huggingface_hub").level
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setitem(sys.modules, "huggingface_hub", Talking(tmp_path))
    with pytest.raises(FileNotFoundError, match="no route"):
        resolve(NAME)
    assert not caplog.records and logging.getLogger("huggingface_hub").level == level


def test_a_preset_has_no_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'bert-tiny' is a preset, that is an architecture without weights, .*its "
                                                r"weights are published as google/bert_uncased_L-2_H-128_A-2"):
        registry.resolve("bert-tiny")
    with pytest.raises(FileNotFoundError, match="^'bert-tinny' was not found"):
        registry.resolve("bert-tinny")
