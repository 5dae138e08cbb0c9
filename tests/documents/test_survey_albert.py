"""Document 004, lines 1186-1376 (ALBERT), and the sizes of lines 430-431, 767-770 and 965: what can be counted.

Trainings are elsewhere: `tests/benchmarks/albert.py` measures what sharing costs, the two sentence tasks, and the speed.
"""

import itertools
import json
import re

import numpy as np
import pytest

import tfplm
from tfplm import cli
from tfplm.data.sequences.documents import encode_documents, noise_vocabulary
from tfplm.data.sequences.segment_pairs import segment_pairs
from tfplm.data.text.corpus import read_documents
from tfplm.families import registry
from tfplm.layers import Dense
from tfplm.models.pretrained.counting import parameters_by_name

# ALBERT, table 4, in millions: the picture at line 1308
TABLE = {(768, "all"): 31, (768, "attention"): 83, (768, "ffn"): 57, (768, "none"): 108,
         (128, "all"): 12, (128, "attention"): 64, (128, "ffn"): 38, (128, "none"): 89}
V, H = 30_000, 768


def params(capsys, *words: str) -> dict:
    """What `tfplm params` prints."""
    assert cli.main(["params", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def without_pooler(config) -> int:
    return sum(count for name, count in parameters_by_name(config).items() if not name.startswith("pooler/"))


def integers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


@pytest.mark.parametrize("size, share", TABLE)
def test_table_of_sizes_lines_1304_to_1308(size, share, capsys):
    """Both columns. The paper counts the pooler with ALBERT's models, and not with models that share nothing (BERT's)."""
    row = params(capsys, "albert-base-v2", "--embedding-size", str(size), "--share", share)
    count = row["parameters"] - (row["modules"]["pooler"] if share == "none" else 0)
    assert round(count / 1e6) == TABLE[size, share]


def test_albert_of_31_million_line_1306(document):
    """As many layers and units as BERT-base, which has 110 million."""
    line = document("survey").text(1306, 1306)
    bert, albert, units = re.search(r"([\d.]+)亿个参数.*?(\d+)万个参数.*?(\d+)个隐藏单元", line).groups()
    config = registry.preset("albert-base-v2").replace(embedding_size=H)
    assert config.hidden_size == int(units) == registry.preset("bert-base-uncased").hidden_size
    assert config.num_hidden_layers == registry.preset("bert-base-uncased").num_hidden_layers == 12
    assert round(tfplm.count_parameters(config) / 1e6) == int(albert) / 100
    assert round(tfplm.count_parameters("bert-base-uncased") / 1e7) == 10 * float(bert)


def test_factorized_embeddings_line_1285(document, capsys):
    """The two products and their difference, as `tfplm params` prints them."""
    line = document("survey").text(1285, 1285)
    full, factorized, saved = map(int, re.search(r"= (\d{8})。.*= (\d{7})。.*差为(\d{8})", line).groups())
    words = params(capsys, "bert-base-uncased", "--vocab-size", str(V), "--by-weight")["weights"]
    assert words["embeddings/word/embeddings"] == {"shape": [V, H], "parameters": full}
    small = params(capsys, "bert-base-uncased", "--vocab-size", str(V), "--embedding-size", "128", "--by-weight")
    parts = [small["weights"][f"embeddings/{name}"] for name in ("word/embeddings", "project/kernel")]
    assert [part["shape"] for part in parts] == [[V, 128], [128, H]]
    assert sum(part["parameters"] for part in parts) == factorized and full - factorized == saved


def test_vocabulary_of_30k_and_e_of_100_lines_1342_to_1350(document):
    words, size = (int(number) for number in re.search(r"(\d+)K.*E=(\d+)", document("survey").text(1342, 1342)).groups())
    small, hidden = map(int, re.search(r"E=(\d+).*H=(\d+)", document("survey").text(1350, 1350)).groups())
    assert (words * 1000, size, hidden) == (V, H, H)
    counts = parameters_by_name(registry.preset("albert-base-v2").replace(embedding_size=small))
    assert counts["embeddings/word/embeddings"] == V * small and counts["embeddings/project/kernel"] == small * hidden
    wide = registry.preset("albert-base-v2").replace(hidden_size=2 * H, intermediate_size=8 * H, num_attention_heads=24)
    assert parameters_by_name(wide)["embeddings/word/embeddings"] == V * 128  # it does not grow with H


def test_a_network_of_seven_parameters_line_1241(document):
    """One input, two hidden nodes, one output."""
    layers = [Dense(1, 2), Dense(2, 1)]
    assert sum(layer.count_params() for layer in layers) == integers(document("survey").text(1241, 1241))[0]


def test_bert_large_line_1245(document):
    layers, hundreds = re.search(r"(\d+)个隐含层.*有([\d.]+)亿个参数", document("survey").text(1245, 1245)).groups()
    assert registry.preset("bert-large-uncased").num_hidden_layers == int(layers)
    assert round(tfplm.count_parameters("bert-large-uncased") / 1e8, 1) == float(hundreds)


def test_bert_xlarge_lines_1261_to_1263(document):
    """BERT-large with twice the units; 1,270 million in the paper's table 1, beside 334 and 108 for the smaller ones."""
    before, after = integers(document("survey").text(1261, 1261))
    large, xlarge = registry.preset("bert-large-uncased"), registry.preset("bert-xlarge")
    assert (large.hidden_size, xlarge.hidden_size) == (before, after)
    assert (xlarge.num_hidden_layers, xlarge.intermediate_size) == (large.num_hidden_layers, 2 * large.intermediate_size)
    base = registry.preset("bert-base-uncased")
    assert round(without_pooler(base.replace(vocab_size=V)) / 1e6) == 108
    assert round(without_pooler(large.replace(vocab_size=V)) / 1e6) == 334
    assert round(without_pooler(xlarge) / 1e7) == 127
    assert tfplm.count_parameters("bert-xlarge") == 1_275_291_648  # with the pooler


def test_eighteen_times_fewer_parameters_lines_1286_and_1354(document):
    (times,) = map(int, re.findall(r"(\d+)x", document("survey").text(1354, 1354)))
    assert int(re.search(r"小(\d+)倍以上", document("survey").text(1286, 1286))[1]) == times
    assert times < tfplm.count_parameters("bert-large-uncased") / tfplm.count_parameters("albert-large-v2") < times + 1


def test_parameters_by_depth_lines_1296_to_1300(document):
    """12 and 24 layers. They grow by the same number with each layer (so not exponentially), and not at all if shared."""
    deep, shallow = map(int, re.findall(r"有(\d+)层", document("survey").text(1296, 1296)))
    assert (deep, shallow) == tuple(registry.preset(f"bert-{name}-uncased").num_hidden_layers for name in ("large", "base"))
    base = registry.preset("bert-base-uncased")
    counts = [tfplm.count_parameters(base.replace(num_hidden_layers=depth)) for depth in (6, 12, 18, 24)]
    assert len(set(np.diff(counts))) == 1
    assert len({tfplm.count_parameters(base.replace(num_hidden_layers=depth, share="all")) for depth in (6, 12, 24)}) == 1


def test_one_block_for_twelve_layers_line_1300(document):
    """The first block is learned and used again in the other eleven; each application changes the hidden states."""
    (rest,) = map(int, re.findall(r"剩下的(\d+)个层", document("survey").text(1300, 1300)))
    model = tfplm.from_config("albert-base-v2", hidden_size=16, num_attention_heads=2, intermediate_size=32, vocab_size=50,
                              embedding_size=8, initializer_range=0.2)
    blocks = {path.split("/")[1] for path in parameters_by_name(model) if path.startswith("encoder/")}
    states = model({"input_ids": np.array([[3, 7, 9]])}, output_hidden_states=True)["hidden_states"]
    assert blocks == {"block_0"} and len(states) == 1 + 1 + rest
    assert all(np.abs(after - before).max() > 1e-3 for before, after in itertools.pairwise(states))


@pytest.mark.parametrize("relation", ["next", "order"])
def test_examples_of_both_sentence_tasks_lines_1225_and_1314_to_1324(relation, data):
    """Positive: two consecutive parts of one document. Negative: parts of two documents; the same two, swapped."""
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_chinese_vocab.txt"))
    documents = list(encode_documents(read_documents([str(data("zh_news_sample"))]), tokenizer))
    wholes = [as_text(document.ids) for document in documents]
    labels = {0: 0, 1: 0}
    pairs = segment_pairs(documents, 64, noise_vocabulary(tokenizer), np.random.default_rng(0), relation)
    for example in pairs:
        ids, middle = example["input_ids"], int(example["token_type_ids"].argmax()) - 1
        first, second = as_text(ids[1:middle]), as_text(ids[middle + 1:-1])
        label = int(example["next_sentence_labels"])
        labels[label] += 1
        together = [whole for whole in wholes if first in whole and second in whole]
        if relation == "next" and label:
            assert any(first in whole and second not in whole for whole in wholes)
        else:
            before, after = (second, first) if label else (first, second)
            assert any(whole.rindex(after) > whole.index(before) for whole in together)
    assert min(labels.values()) > 20


def as_text(ids) -> str:
    return f" {' '.join(map(str, ids))} "


SIZES = r"(\d+)-layer, (\d+)-hidden, (\d+)-heads ?, (\d+)M parameters"


@pytest.mark.parametrize("line, preset", [
    (430, "chinese-roberta-wwm-ext-large"), (431, "bert-base-uncased"), (767, "bert-base-chinese"),
    (768, "bert-base-multilingual-cased"), (769, "bert-base-uncased"), (770, "bert-base-cased"), (965, "bert-base-chinese")])
def test_sizes_of_released_models(line, preset, document):
    """The base models are all said to have 110 million, as the first one has: they differ by their vocabularies alone."""
    layers, hidden, heads, millions = map(int, re.search(SIZES, document("survey").text(line, line)).groups())
    config = registry.preset(preset)
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (layers, hidden, heads)
    if line != 430:
        config = config.replace(vocab_size=registry.preset("bert-base-uncased").vocab_size)
        others = tfplm.count_parameters(preset) - tfplm.count_parameters(config)
        assert others == (registry.preset(preset).vocab_size - config.vocab_size) * hidden
    assert round(tfplm.count_parameters(config), -7) == millions * 1e6
