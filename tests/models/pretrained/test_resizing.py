"""Resizing of embeddings for added tokens, and tokenizers of other models."""

import numpy as np
import pytest

import tfplm
from tests.models import cases
from tfplm.models import check_vocabulary, resize_token_embeddings
from tfplm.models.pretrained.weights import named_variables

ROWS = {"embeddings/word/embeddings": 0, "lm_bias": 0, "lm_decoder/kernel": 1}


RESIZED = [("bert", "masked_lm"), ("bert", "pretraining"), ("gpt2", "causal_lm"), ("bart", "seq2seq_lm"),
           ("mt5", "seq2seq_lm"), ("albert", None), ("untied", "masked_lm"), ("bert", "sequence_classification")]


@pytest.mark.parametrize(("name", "head", "rows"), [
    *[(*case, 50) for case in RESIZED], ("bert", "masked_lm", 40), ("untied", "masked_lm", 40),
    *[pytest.param(*case, 40, marks=pytest.mark.slow) for case in RESIZED if case[1] != "masked_lm"]])
def test_old_rows_are_kept(name, head, rows):
    model, batch = cases.model(name, head), cases.batch(name)
    batch = {key: np.minimum(value, 39) for key, value in batch.items()}
    resized = resize_token_embeddings(model, rows)
    assert resized.config.vocab_size == rows and type(resized) is type(model)
    assert resized.num_labels == model.num_labels
    kept = min(rows, cases.VOCABULARY)
    old, new = named_variables(model), named_variables(resized)
    assert list(old) == list(new)
    for path, variable in old.items():
        axis = ROWS.get(path)
        if axis is None:
            np.testing.assert_array_equal(variable, new[path], err_msg=path)
        else:
            assert new[path].shape[axis] == rows
            np.testing.assert_array_equal(np.take(variable, range(kept), axis), np.take(new[path], range(kept), axis))
    added = np.asarray(new["embeddings/word/embeddings"])[kept:]
    assert added.size == 0 or 0.1 < added.std() < 2
    outputs, expected = resized(batch), model(batch)
    if head and head.endswith("_lm"):
        assert outputs.shape[-1] == rows
        np.testing.assert_allclose(outputs[..., :kept], expected[..., :kept], atol=1e-6)
    elif head == "sequence_classification":
        np.testing.assert_allclose(outputs, expected, atol=1e-6)


@pytest.fixture
def tokenizer(tmp_path):
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"今天天气很好我们去公园散步吧明", "hello", "##s", "world"]
    (tmp_path / "vocab.txt").write_text("\n".join(dict.fromkeys(tokens)) + "\n", encoding="utf-8")
    return tfplm.Tokenizer.from_vocab(tmp_path / "vocab.txt")


def test_added_tokens(tokenizer, tmp_path):
    config = cases.CASES["bert"].replace(vocab_size=len(tokenizer), pad_token_id=0)
    model = tfplm.from_config(config, "masked_lm")
    tfplm.save_pretrained(model, tmp_path / "before", tokenizer)
    tokenizer.add_tokens(["公园散步", "TensorFlow"])
    message = (f"the tokenizer has {len(tokenizer)} tokens, but the model's embeddings have {len(tokenizer) - 2} rows"
               f".*resize_token_embeddings\\(model, {len(tokenizer)}\\)")
    with pytest.raises(ValueError, match=message):
        tfplm.save_pretrained(model, tmp_path / "after", tokenizer)
    assert not (tmp_path / "after").exists()
    model = resize_token_embeddings(model, len(tokenizer))
    tfplm.save_pretrained(model, tmp_path / "after", tokenizer)
    loaded, other = (kind.from_pretrained(tmp_path / "after", *arguments) for kind, arguments in
                     ((tfplm, ["masked_lm"]), (tfplm.Tokenizer, [])))
    batch = other("今天去公园散步吧")
    assert batch["input_ids"].max() == len(tokenizer) - 2
    np.testing.assert_array_equal(loaded(batch), model(batch))
    check_vocabulary(loaded, other)


def test_padding_id_of_another_model(tokenizer):
    with pytest.raises(ValueError, match="the padding id of the tokenizer is 0, expected 1"):
        check_vocabulary(cases.model("roberta"), tokenizer)


def test_rows_must_be_positive():
    with pytest.raises(ValueError, match="rows is 0, expected a positive number of tokens"):
        resize_token_embeddings(cases.model("bert"), 0)
