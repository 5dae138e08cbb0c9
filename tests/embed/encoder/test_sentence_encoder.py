"""`SentenceEncoder`: vectors do not depend on the other texts; all kinds of inputs; errors."""

import dataclasses

import numpy as np
import pytest

import tfplm
from tests.embed.encoder import single_cases
from tests.embed.encoder.encoder_cases import TEXTS, encoder, model, tokenizer
from tfplm.embed import SentenceEncoder
from tfplm.embed.encoder.pooling import PoolingPlan
from tfplm.embed.encoder.recipe import DenseModule, Recipe
from tfplm.embed.encoder.rows import TextIds


def test_batch_and_order_do_not_matter(made):
    rng = np.random.default_rng(0)
    texts = [*TEXTS, *(" ".join(rng.choice(["the", "cat", "我", "们", "a", "."], rng.integers(1, 30)))
                       for _ in range(60))]
    vectors = made.encode(texts)
    order = rng.permutation(len(texts))
    np.testing.assert_allclose(made.encode([texts[i] for i in order]), vectors[order], atol=2e-6)
    np.testing.assert_allclose(made.encode(texts, batch_tokens=64), vectors, atol=2e-6)
    np.testing.assert_allclose(np.stack([made.encode(text) for text in texts[:12]]), vectors[:12], atol=2e-6)
    assert made._function.traces == 1


@pytest.mark.parametrize("fields", [
    {"preset": "gpt2", "intermediate_size": 48},
    {"position_type": "rotary", "layer_pattern": ["local", "global"], "attention_window": 4},
    *[pytest.param(case, marks=pytest.mark.slow) for case in (
        {"preset": "roberta-base", "pad_token_id": 0}, {"preset": "electra-base-discriminator", "embedding_size": 7},
        {"position_type": "bucketed"}, {"attention_type": "causal"})]], ids=str)
def test_families(fields, tmp_path):
    made = encoder(tmp_path, **fields)
    vectors = made.encode(TEXTS)
    assert single_cases.compiled(made.freeze())
    np.testing.assert_allclose(single_cases.one_by_one(made), made.encode(single_cases.TEXTS), atol=2e-6)
    for text, vector in zip(TEXTS, vectors):
        row = made.tokenize([text])[0]
        hidden = np.asarray(made.model({"input_ids": row.input_ids[None]})["sequence_output"])[0]
        np.testing.assert_allclose(vector, hidden.mean(0), atol=2e-5)


def test_one_text_returns_one_vector(made):
    assert made.encode("a dog").shape == (12,) and made.encode(["a dog"]).shape == (1, 12)
    assert made.encode([]).shape == (0, 12)


def test_odd_texts(made):
    vectors = made.encode(["", "我" * 10_000, "🙂" * 50, "\n\t \u200b", "x" * 10_000])
    assert vectors.shape == (5, 12) and np.isfinite(vectors).all()


def test_pairs(made):
    (vector,) = made.encode([("a dog", "the cat")])
    batch = made.tokenizer("a dog", "the cat")
    assert batch["token_type_ids"].any()
    expected = np.asarray(made.model(batch)["sequence_output"])[0].mean(0)
    np.testing.assert_allclose(vector, expected, atol=2e-5)
    np.testing.assert_array_equal(made.encode(("a dog", "the cat")), vector)


def test_lists_of_tokens_are_looked_up(made):
    vectors = made.encode([["a", "dog"], ["run", "##ning", "nonsense"], ["a", "dog", "|||", "the", "cat"], []])
    np.testing.assert_allclose(vectors[0], made.encode("a dog"), atol=2e-6)
    rows = made.tokenize([["run", "##ning", "nonsense"]])
    assert made.tokenizer.convert_ids_to_tokens(rows[0].input_ids) == ["[CLS]", "run", "##ning", "[UNK]", "[SEP]"]
    np.testing.assert_allclose(vectors[2], made.encode(("a dog", "the cat")), atol=2e-6)
    np.testing.assert_allclose(vectors[3], made.encode(""), atol=2e-6)


def test_ids_are_framed_like_their_tokens(made):
    first, second = ["a", "dog"], ["the", "cat"]
    for tokens, halves in (([*first], [first]), ([*first, "|||", *second], [first, second]), ([], [[]])):
        (row,) = made.tokenize([tokens])
        framed = made.frame(*(made.tokenizer.convert_tokens_to_ids(half) if half else [] for half in halves))
        np.testing.assert_array_equal(framed.input_ids, row.input_ids)
        np.testing.assert_array_equal(framed.token_type_ids, row.token_type_ids)
    assert len(made.frame([5] * 30, [6] * 30)) == 40


def test_long_lists_of_tokens_are_truncated_like_texts(made):
    (row,) = made.tokenize([["dog"] * 90])
    assert len(row) == 40 and row.input_ids[-1] == made.tokenizer.sep_token_id
    for first, second in ((45, 4), (4, 45)):
        (row,) = made.tokenize([["dog"] * first + ["|||"] + ["cat"] * second])
        expected = made.tokenizer("dog " * first, "cat " * second, max_length=40)
        np.testing.assert_array_equal(row.token_type_ids, expected["token_type_ids"][0])
        np.testing.assert_array_equal(row.input_ids, expected["input_ids"][0])
    (row,) = made.tokenize([["dog"] * 30 + ["|||"] + ["cat"] * 40])  # of equally long texts the second, as in BERT
    assert len(row) == 40 and row.token_type_ids.sum() == 18 + 1


def test_inputs_of_several_kinds(made):
    vectors = made.encode(["a dog", ("a dog", "the cat"), ["a", "dog"]])
    np.testing.assert_allclose(vectors[0], vectors[2], atol=2e-6)
    np.testing.assert_allclose(vectors[1], made.encode(("a dog", "the cat")), atol=2e-6)


def test_max_length_truncates_on_the_right(tmp_path):
    made = SentenceEncoder(model(), tokenizer(tmp_path), Recipe(max_length=6))
    np.testing.assert_allclose(made.encode("the cat sleeps on the warm stone"), made.encode("the cat sleeps on"), atol=2e-6)


def test_normalize(made):
    np.testing.assert_allclose(np.linalg.norm(made.encode(TEXTS, normalize=True), axis=1), 1, atol=1e-6)
    plain = made.encode(TEXTS)
    assert abs(np.linalg.norm(plain, axis=1) - 1).min() > 0.01


def test_prompts(tmp_path):
    recipe = Recipe(prompts={"q": "query: "}, default_prompt="q")
    made = SentenceEncoder(model(), tokenizer(tmp_path), recipe)
    bare = SentenceEncoder(made.model, made.tokenizer)
    expected = bare.encode("query: a dog")
    for prompt in (None, "q", "query: "):
        np.testing.assert_allclose(made.encode("a dog", prompt=prompt), expected, atol=2e-6)
    np.testing.assert_allclose(made.encode("a dog", prompt=""), bare.encode("a dog"), atol=2e-6)


def test_prompt_excluded_from_pooling(tmp_path):
    recipe = Recipe(prompts={"q": "query: "}, default_prompt="q", pool_prompt=False)
    made = SentenceEncoder(model(), tokenizer(tmp_path), recipe)
    batch = made.tokenizer("query: a dog")
    hidden = np.asarray(made.model(batch)["sequence_output"])[0]
    np.testing.assert_allclose(made.encode("a dog"), hidden[3:].mean(0), atol=2e-5)  # [CLS] query :
    (tokens,) = made.encode([["a", "dog"]])  # lists of tokens get no prompt
    np.testing.assert_allclose(tokens, SentenceEncoder(made.model, made.tokenizer).encode("a dog"), atol=2e-6)


def test_dense_modules(tmp_path):
    rng = np.random.default_rng(0)
    dense = DenseModule(rng.normal(size=(12, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32), "Tanh")
    made = SentenceEncoder(model(), tokenizer(tmp_path), Recipe(dense=(dense,)))
    plain = SentenceEncoder(made.model, made.tokenizer).encode(TEXTS)
    np.testing.assert_allclose(made.encode(TEXTS), np.tanh(plain @ dense.kernel + dense.bias), atol=2e-5)
    assert made.dimension == 5


def test_embed_takes_a_tokenized_batch(made):
    batch = made.tokenizer(TEXTS[:4], max_length=40)
    np.testing.assert_allclose(made.embed(batch), made.encode(TEXTS[:4]), atol=2e-6)
    np.testing.assert_allclose(made.embed({"input_ids": batch["input_ids"][:1]}),
                               made.encode_ids([batch["input_ids"][0]]), atol=2e-6)


def test_embed_of_tokens_keeps_the_width(made):
    tokens = SentenceEncoder(made.model, made.tokenizer, "NONE")
    batch = made.tokenizer(TEXTS[:4], max_length=40, padding="max_length")
    vectors = tokens.embed(batch)
    assert vectors.shape == (4, 40, 12) and not vectors[batch["attention_mask"] == 0].any()


def test_bfloat16_is_close(tmp_path):
    made = encoder(tmp_path, dtype="bfloat16", initializer_range=0.05)
    exact = encoder(tmp_path, initializer_range=0.05).encode(TEXTS)
    vectors = made.encode(TEXTS)
    assert vectors.dtype == np.float32
    cosine = (vectors * exact).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosine.min() > 0.999


def test_empty_text_gets_a_token_in_a_decoder(tmp_path):
    made = encoder(tmp_path, preset="gpt2", intermediate_size=48)
    made.tokenizer._backend.post_processor = None
    assert [len(row) for row in made.tokenize(["", "a"])] == [1, 1]
    assert np.isfinite(made.encode(["", "a dog"])).all()


def test_progress_bar(made, capsys):
    made.encode(["a dog"] * 5, show_progress=True)
    assert "5.00/5.00" in capsys.readouterr().err
    made.encode(["a dog"] * 5)
    assert capsys.readouterr().err == ""


def test_from_pretrained_of_a_plain_folder(tmp_path):
    made = encoder(tmp_path)
    tfplm.save_pretrained(made.model, tmp_path / "saved", made.tokenizer)
    loaded = SentenceEncoder.from_pretrained(tmp_path / "saved", pooling="max", layers=(-2, -1), normalize=True,
                                             max_length=9)
    expected = SentenceEncoder(made.model, made.tokenizer, Recipe(PoolingPlan.of("max", (-2, -1)), True, 9))
    np.testing.assert_allclose(loaded.encode(TEXTS), expected.encode(TEXTS), atol=2e-6)
    head = SentenceEncoder.from_pretrained(tmp_path / "saved", pooling="REGRESSION")
    assert head.encode(TEXTS).shape == (len(TEXTS), 1)


def test_the_encoder_of_an_encoder_decoder(tmp_path):
    whole = model(preset="t5-small", head_dim=4)
    tfplm.save_pretrained(whole, tmp_path / "saved", tokenizer(tmp_path))
    loaded = SentenceEncoder.from_pretrained(tmp_path / "saved")
    row = loaded.tokenize(["a dog"])[0]
    hidden = np.asarray(whole({"input_ids": row.input_ids[None]})["encoder_output"])[0]
    np.testing.assert_allclose(loaded.encode("a dog"), hidden.mean(0), atol=2e-5)
    with pytest.raises(ValueError, match="load the model with architecture='encoder'"):
        SentenceEncoder(whole, loaded.tokenizer)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda e: e.encode(["a", 3]), TypeError, "text 1 is int '3'; expected a str, a pair"),
    (lambda e: e.encode([["a", 3]]), TypeError, "text 0 is list"),
    (lambda e: e.encode_ids([[]]), ValueError, "text 0 has 0 tokens; expected 1 or more"),
    (lambda e: e.encode_ids([[2, 99, 3]]), ValueError, "an id that is not in the vocabulary; expected 0 to 38"),
    (lambda e: e.encode_ids([[5] * 41]), ValueError, "41 tokens, but the model has 40 positions: truncate"),
    (lambda e: e.embed({"input_ids": [[2, 5]], "attention_mask": [[0, 1]]}), ValueError, "padding on the left"),
    (lambda e: SentenceEncoder(e.model, e.tokenizer, Recipe(max_length=2)), ValueError,
     "max_length is 2; expected more than the 2 special tokens"),
    (lambda e: dataclasses.replace(e.recipe, default_prompt="q"), ValueError, "the default prompt is 'q'"),
])
def test_errors(call, error, message, made):
    with pytest.raises(error, match=message):
        call(made)


def test_lists_of_ids(made):
    row = made.tokenize(["a dog"])[0]
    np.testing.assert_array_equal(made.encode_ids([row.input_ids.tolist()]), made.encode_ids([TextIds(
        row.input_ids, row.token_type_ids)]))
