"""A family is one file: no other file names it, and a new file in the folder is found."""

import ast
import subprocess
import sys
import textwrap
import typing
from pathlib import Path

import numpy as np
import pytest

import tfplm
import tfplm.families as package
from tfplm.core.config import Config
from tfplm.families import registry

ROOT = Path(package.__file__).parents[1]
# files that can contain the name of a family, and the reason
EXCEPTIONS = {
    "core/config.py": {"bert"},  # the defaults of `Config` are those of BERT-base
    "options/records.py": {"bert"},  # the name of the layout of google-research/bert's records
    "data/records/build.py": {"bert"},  # the same
    "serve/engines/vectors.py": {"bert"},  # the interface of bert-as-service
    "pretrain/objectives/language_model.py": {"gpt2"},  # the default preset of an objective
}


def names_of_families() -> set[str]:
    """Model types and names of tokenizer rules, except those of baselines, which are also architectures."""
    architectures = typing.get_args(typing.get_type_hints(Config)["architecture"])
    return {*registry.families(), *(rules.name for rules in registry.all_rules())} - set(architectures)


def test_no_other_file_names_a_family():
    names, found = names_of_families(), {}
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("families/"):
            values = {node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                      if isinstance(node, ast.Constant) and isinstance(node.value, str)}
            if here := values & names:
                found[name] = here
    assert found == EXCEPTIONS and {"bert", "mbart50", "xlnet"} <= names


def test_file_names_of_tf1_releases_are_only_in_families():
    names = {*registry.tf1_configs(), *(registry.family(name).tf1.checkpoint for name in ("bert", "gpt2", "electra"))}
    for path in sorted(ROOT.rglob("*.py")):
        if path.parent.name != "families":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                assert not (isinstance(node, ast.Constant) and node.value in names), f"{path}:{node.lineno}"


def test_names_need_no_tensorflow():
    code = """
        import sys, tfplm.cli
        assert tfplm.cli.main(["presets", "albert"]) == 0
        assert tfplm.cli.main(["params", "bert-tinny"]) == 1
        print({"tensorflow", "keras"} & set(sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert '"albert-base-v2"' in done.stdout and done.stdout.endswith("set()\n")
    assert "there is no preset 'bert-tinny'; the nearest are bert-tiny" in done.stderr


FILE = '''
"""A family for the test: GPT-2's blocks with other names."""

from tfplm.core.keys import Keys
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.core.weight_names import Names
from tfplm.families import gpt2
from tfplm.families.registry import TF1Release

MODEL_TYPE, CLASS = "toy", "Toy"
CONFIG = {**gpt2.CONFIG, "vocab_size": 50, "hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 2,
          "max_position_embeddings": 20, "bos_token_id": 0, "eos_token_id": 1}
PRESETS = {"toy-base": {}, "toy-deep": {"num_hidden_layers": 3}}
NAMES = gpt2.NAMES.with_(hf_prefix="toy.", tf1_prefix="toy/")
KEYS = Keys({"hidden_size": "width", "num_hidden_layers": "depth"}, harmless=frozenset({"colour"}),
            must_be={"sparse": False})
TF1 = TF1Release("toy_config.json", "toy.ckpt", ("toy/h0/",))
CLASSES = {"causal_lm": "LanguageModel"}
TOKENIZER = TokenizerRules("toy", "wordpiece", {"unk": "[UNK]", "eos": "[SEP]"}, "$A {eos}", "$A $B {eos}")
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The registry with an additional file."""
    (tmp_path / "toy_family.py").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    for cached in (registry._files, registry._families, registry._rules):
        cached.cache_clear()
    yield
    sys.modules.pop("tfplm.families.toy_family", None)
    monkeypatch.undo()
    for cached in (registry._files, registry._families, registry._rules):
        cached.cache_clear()


@pytest.mark.usefixtures("toy")
def test_a_new_family_is_one_file(tmp_path):
    assert "toy" in registry.families() and {"toy-base", "toy-deep"} <= set(tfplm.presets())
    model = tfplm.from_config("toy-deep", "causal_lm")
    (tmp_path / "vocab.txt").write_text("[UNK]\n[SEP]\nthe\ncat\n", encoding="utf-8")
    tokenizer = tfplm.Tokenizer.from_vocab(tmp_path / "vocab.txt", model_type="toy")
    for form, names in (("hf", {"config.json", "model.safetensors"}), ("tf1", {"toy_config.json", "toy.ckpt.index"})):
        folder = tmp_path / form
        tfplm.save_pretrained(model, folder, tokenizer, form)
        assert names <= {path.name for path in folder.iterdir()}
        source = tfplm.models.open_source(folder)
        assert source.family.model_type == "toy" and source.config == model.config.replace(intermediate_size=48)
        again = tfplm.from_pretrained(source, "causal_lm")
        np.testing.assert_array_equal(again({"input_ids": np.array([[2, 3]])}), model({"input_ids": np.array([[2, 3]])}))
        assert source.tokenizer().family == "toy"
        assert source.tokenizer()("the cat")["input_ids"].tolist() == [[2, 3, 1]]
    assert tfplm.models.open_source(tmp_path / "hf").head == "causal_lm"
    written = registry.family("toy").write_config(model.config)[0]
    assert (written["width"], written["depth"]) == (12, 3)
    assert registry.family("toy").read_config({**written, "colour": "red", "sparse": False}).hidden_size == 12
    with pytest.raises(ValueError, match="sparse = True; only False is supported"):
        registry.family("toy").read_config({**written, "sparse": True})


def test_rules_of_tokenizers():
    names = [rules.name for rules in registry.all_rules()]
    assert len(names) == len(set(names)) >= 14
    for kind in ("wordpiece", "bpe", "byte_bpe", "sentencepiece"):
        for purpose in ("reading", "learning"):
            assert sum(rules.kind == kind and purpose in rules.default_for for rules in registry.all_rules()) == 1
    assert registry.rules_for("electra") is registry.rules_for("tinybert") is registry.rules_for("bert")
    for wanted, name in (("ElectraTokenizerFast", "bert"), ("T5TokenizerFast", "t5"), ("MBart50Tokenizer", "mbart50")):
        assert registry.rules_of_class(wanted).name == name
    assert registry.rules_of_class("PreTrainedTokenizerFast") is registry.rules_of_class(None) is None
    with pytest.raises(ValueError, match="rules for model type 'brt'; did you mean 'bert'.; expected one"):
        registry.rules_for("brt")
