"""The relation of two texts: against the model itself, the objectives, the verb, the errors."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.models.scoring.language_model_cases import save
from tfplm.models.scoring.next_sentence import in_order, is_next, open_pair_model, run

PAIRS = [("今天天气很好", "明日天气不好"), ("the ship sailed on the sea", "a whale, a storm"),
         ("却说曹操引军追赶", "玄德大惊")]
FIRST, SECOND = map(list, zip(*PAIRS))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    keras.utils.set_random_seed(5)
    return save("bert", tmp_path_factory.mktemp("bert"), "pretraining", max_position_embeddings=40)


pytestmark = pytest.mark.usefixtures("eagerly")


def softmax(logits) -> np.ndarray:
    logits = np.asarray(logits, np.float64)
    return np.exp(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))


def expected(saved, first, second) -> np.ndarray:
    return softmax(saved.model(saved.tokenizer(first, second))["next_sentence"])


def test_probabilities_equal_those_of_the_model(bert):
    found = open_pair_model(bert.folder).relations(FIRST, SECOND, batch_size=2)
    for one, a, b in zip(found, FIRST, SECOND):
        np.testing.assert_allclose(list(one.probabilities.values()), expected(bert, [a], [b])[0], rtol=1e-4)
        assert (one.first, one.second, list(one.probabilities)) == (a, b, ["next", "not next"])
        assert one.is_next == is_next(bert.model, a, b, tokenizer=bert.tokenizer) == (one.follows > 0.5)


def test_the_order_is_that_with_the_larger_probability(bert):
    for a, b in PAIRS:
        forward, backward = expected(bert, [a, b], [b, a])[:, 0]
        assert in_order(bert.folder, a, b) == (forward >= backward)


def test_the_objective_by_head_folder_and_family(bert, tmp_path):
    albert = save("albert", tmp_path / "albert")
    assert open_pair_model(albert.folder).objective == "sop"
    assert open_pair_model(albert.folder, objective="nsp").objective == "nsp"
    three = tfplm.from_config(bert.model.config, "pretraining", num_labels=3)
    found = open_pair_model(three, bert.tokenizer)
    assert list(found.relations(["a"], ["b"])[0].probabilities) == ["in order", "swapped", "unrelated"]
    with pytest.raises(ValueError, match="the model has 3 relations of sentences; expected 2 for the objective nsp"):
        open_pair_model(three, bert.tokenizer, "nsp")
    (albert.folder / "pretrain.json").write_text(json.dumps({"objective": "mlm+nsp@2,mlm"}), encoding="utf-8")
    assert open_pair_model(albert.folder).objective == "nsp"


def test_long_pairs_are_truncated(bert):
    (one,) = open_pair_model(bert.folder).relations(["天" * 100], ["气" * 100])
    batch = bert.tokenizer(["天" * 100], ["气" * 100], max_length=40)  # the positions of the model
    np.testing.assert_allclose(list(one.probabilities.values()), softmax(bert.model(batch)["next_sentence"])[0], rtol=1e-4)


def test_models_without_such_a_head(bert, tmp_path):
    save("bert", tmp_path / "mlm")
    with pytest.raises(ValueError, match="mlm has no trained head for relations of sentences; expected a model pre-"):
        is_next(tmp_path / "mlm", "a", "b")
    with pytest.raises(ValueError, match="the model has no trained head"):
        is_next(tfplm.from_config(bert.model.config, "masked_lm"), "a", "b", tokenizer=bert.tokenizer)
    with pytest.raises(ValueError, match="the source is a model, but tokenizer is None"):
        is_next(bert.model, "a", "b")
    with pytest.raises(ValueError, match="objective is 'order'; expected 'auto', 'nsp', 'sop', 'sop3'"):
        is_next(bert.folder, "a", "b", objective="order")
    with pytest.raises(ValueError, match="2 first and 1 second texts; expected equally many"):
        open_pair_model(bert.folder).relations(["a", "b"], ["a"])


def test_keras_files_and_checkpoints_of_a_loop(bert, tmp_path):
    wanted = [one.probabilities for one in open_pair_model(bert.folder).relations(FIRST, SECOND)]
    (tmp_path / "keras").mkdir()
    bert.model.save(tmp_path / "keras" / "model.keras")
    tf.train.Checkpoint(model=bert.model).save(str(tmp_path / "loop" / "ckpt"))
    for folder in ("keras", "loop"):
        found = open_pair_model(tmp_path / folder, bert.tokenizer).relations(FIRST, SECOND)
        assert [one.probabilities for one in found] == wanted


def test_the_verb_prints_pairs_and_their_order(bert, capsys, tmp_path, terminal):
    (a, b), (c, d), _ = PAIRS
    found = run(source=str(bert.folder), texts=[a, b, c, d], order=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(found) == len(lines) == 2 and lines[0].startswith(f"{found[0].relation} (")
    assert lines[0].endswith(f"{a} | {b}  first: {a if in_order(bert.folder, a, b) else b}")
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{first}\t{second}\n\n" for first, second in PAIRS), encoding="utf-8")
    assert run(source=str(bert.folder), file=str(file), json=True) == open_pair_model(bert.folder).relations(FIRST, SECOND)
    row = json.loads(capsys.readouterr().out.splitlines()[2])
    assert (row["first"], row["second"], row["is_next"]) == (*PAIRS[2], row["relation"] == "next")
    assert "comes_first" not in row and sum(row["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("options, message", [
    ({"texts": ["a", "b", "c"]}, "there are 3 texts; expected pairs, FIRST SECOND FIRST SECOND ...: add one"),
    ({"file": "lines"}, "the line 'a b' has 0 tabs; expected one: FIRST TAB SECOND"),
    ({"file": "empty"}, "there are no texts; expected a pair: pass two texts, --file FILE")])
def test_what_is_not_a_pair(bert, tmp_path, options, message):
    (tmp_path / "lines").write_text("a b\n", encoding="utf-8")
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    if "file" in options:
        options = {"file": str(tmp_path / options["file"])}
    with pytest.raises(ValueError, match=message):
        run(source=str(bert.folder), **options)
