"""The real engine: rows as bert-as-service makes them, and its options, on a tiny model."""

import numpy as np
import pytest

import tfplm
from tests.models.portable.portable_cases import needs
from tests.serve.conftest import eventually
from tfplm.options.pooling import BERT_SERVICE
from tfplm.options.serve import ServeOptions
from tfplm.serve.engines import sentence_engine
from tfplm.serve.engines.sentence_engine import SentenceEngine, make_engine

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdef", "hello", "world", "Hello", "##s", *"我爱自然语言处理，。"]
TINY = {"vocab_size": len(WORDS), "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3,
        "intermediate_size": 19, "max_position_embeddings": 40, "initializer_range": 0.3}


def save_model(folder, head=None, num_labels=None, format="hf"):
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    model = tfplm.from_config("bert-base-uncased", head, num_labels=num_labels, **TINY)
    tfplm.save_pretrained(model, folder, tfplm.Tokenizer.from_vocab(folder / "vocab.txt", lowercase=True), format)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny"
    save_model(path)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return tfplm.from_pretrained(folder)


def engine_of(source, **options):
    return make_engine(ServeOptions(source=str(source), **{"show_tokens_to_client": True, "warm_up": False, **options}))


@pytest.fixture(scope="module")
def engine(folder):
    return engine_of(folder, max_seq_len=10)


def encoded(engine, *sequences):
    """What a request of these sequences gets."""
    return engine.join(engine.encode(list(sequences)))


def ids_of(*words):
    return [WORDS.index(word) for word in words]


def test_texts_pairs_tokens_and_ids(engine):
    found = encoded(engine, "hello 我", "a b ||| c", ["hello", "nonsense"], ["a", "|||", "b", "c"],
                    ids_of("hello", "我"), "我爱自然语言处理，。我爱")
    assert found.tokens == [
        ["[CLS]", "hello", "我", "[SEP]"], ["[CLS]", "a", "b", "[SEP]", "c", "[SEP]"],
        ["[CLS]", "hello", "[UNK]", "[SEP]"], ["[CLS]", "a", "[SEP]", "b", "c", "[SEP]"],
        ["[CLS]", "hello", "我", "[SEP]"], ["[CLS]", *"我爱自然语言处理", "[SEP]"]]
    assert found.lengths.tolist() == [4, 6, 4, 6, 4, 10] and found.vectors.shape == (6, 12)
    np.testing.assert_allclose(found.vectors[0], found.vectors[4], atol=1e-6)
    rows = engine.rows(["a b ||| c", "a b ||| c ||| d"])
    assert rows[0].token_type_ids.tolist() == [0, 0, 0, 0, 1, 1]
    assert WORDS.index("d") in rows[1].input_ids[rows[1].token_type_ids == 1]  # the last ||| divides


@pytest.mark.parametrize("pair, first, second", [
    ("a b c d e ||| a b c d e", 4, 3),  # of two that are as long, the second is cut
    ("a b c d e f ||| a", 6, 1), ("a ||| a b c d e f a", 1, 6), ("a b c ||| a b c d e f", 3, 4)])
def test_pairs_are_cut_as_bert_does_it(engine, pair, first, second):
    (row,) = engine.rows([pair])
    assert len(row) == 10
    assert (row.token_type_ids == 0).sum() == first + 2 and (row.token_type_ids == 1).sum() == second + 1


def test_vectors_are_those_of_the_model(engine, model):
    """REDUCE_MEAN of the last layer but one, as `np` has it."""
    texts = ["hello world", "我爱语言"]
    for text, vector in zip(texts, encoded(engine, *texts).vectors):
        batch = engine.tokenizer([text])
        hidden = np.asarray(model(batch, output_hidden_states=True)["hidden_states"][-2])[0]
        np.testing.assert_allclose(vector, hidden.mean(0), atol=1e-5)


@pytest.mark.parametrize("strategy", [
    name if name in ("NONE", "REDUCE_MEAN_MAX", "CLASSIFICATION") else pytest.param(name, marks=pytest.mark.slow)
    for name in BERT_SERVICE])
def test_every_strategy(folder, model, strategy, tmp_path):
    if strategy in ("CLASSIFICATION", "REGRESSION"):
        folder = tmp_path / "classifier"
        save_model(folder, "sequence_classification", 3 if strategy == "CLASSIFICATION" else 1)
    engine = engine_of(folder, pooling_strategy=strategy, max_seq_len=8)
    width = {"REDUCE_MEAN_MAX": 24, "CLASSIFICATION": 3, "REGRESSION": 1}.get(strategy, 12)
    assert engine.info.dimension == width and engine.info.settings["pooling_strategy"] == BERT_SERVICE[strategy]
    vectors = encoded(engine, "hello", "我爱自然").vectors
    assert np.isfinite(vectors).all()
    assert engine.info.row_shape == ((8, 12) if strategy == "NONE" else (width,))
    assert vectors.shape == (2, *engine.info.row_shape)
    if strategy == "NONE":
        assert [len(each.vector) for each in engine.encode(["hello", "我爱自然"])] == [3, 6]
        assert vectors[0, :3].all() and not vectors[0, 3:].any() and vectors[1, :6].all()


def test_several_layers_side_by_side(folder, model):
    engine = engine_of(folder, pooling_layer=[-3, -1], pooling_strategy="FIRST_TOKEN")
    states = model(engine.tokenizer(["hello"]), output_hidden_states=True)["hidden_states"]
    expected = np.concatenate([np.asarray(states[place])[0, 0] for place in (1, 3)])
    np.testing.assert_allclose(encoded(engine, "hello").vectors[0], expected, atol=1e-5)


def test_pairs_of_a_model_that_lowers_its_texts(folder, tmp_path):
    """As single texts are lowered, too."""
    from tfplm.embed.encoder.recipe import Recipe
    from tfplm.embed.encoder.sentence_encoder import SentenceEncoder

    cased = tfplm.Tokenizer.from_vocab(folder / "vocab.txt", lowercase=False)
    encoder = SentenceEncoder(tfplm.from_pretrained(folder), cased, Recipe(lowercase=True))
    engine = SentenceEngine(encoder, ServeOptions(source="", show_tokens_to_client=True))
    assert encoded(engine, "Hello", "Hello ||| A").tokens == [["[CLS]", "hello", "[SEP]"],
                                                              ["[CLS]", "hello", "[SEP]", "a", "[SEP]"]]


def test_max_seq_len(folder):
    assert engine_of(folder).info.settings["max_seq_len"] == 25  # bert-as-service's default
    longest = engine_of(folder, max_seq_len="NONE")
    assert longest.info.settings["max_seq_len"] is None and longest.info.fixed_length is None
    assert encoded(longest, "a " * 100).lengths.tolist() == [40]
    fixed = engine_of(folder, max_seq_len="none", fixed_embed_length=True, pooling_strategy="NONE")
    assert fixed.info.fixed_length == 40
    with pytest.raises(ValueError, match="max_seq_len is 41, but the model has positions for 40"):
        engine_of(folder, max_seq_len=41)


def test_vectors_of_tokens_are_as_wide_as_the_maximum(folder):
    """bert-serving-start pads to its max_seq_len, the default of 25 too."""
    assert engine_of(folder, pooling_strategy="NONE").info.fixed_length == 25
    assert engine_of(folder, pooling_strategy="NONE", max_seq_len=9).info.fixed_length == 9
    assert engine_of(folder, pooling_strategy="NONE", max_seq_len="NONE").info.fixed_length is None
    assert engine_of(folder).info.fixed_length is None  # one vector a text


def test_no_special_token(folder):
    engine = engine_of(folder, no_special_token=True, max_seq_len=5)
    found = encoded(engine, "hello world", "a ||| b", ["a", "b"], "", "a b c d ||| a b c d", ids_of("b", "a"))
    assert found.tokens == [["hello", "world"], ["a", "b"], ["a", "b"], ["[UNK]"], ["a", "b", "c", "a", "b"], ["b", "a"]]
    assert engine.rows(["a ||| b"])[0].token_type_ids.tolist() == [0, 1]


def test_mask_cls_sep(folder, model):
    masked = engine_of(folder, mask_cls_sep=True, pooling_layer=[-1])
    batch = masked.tokenizer(["hello world"])
    batch["attention_mask"][:, [0, -1]] = 0
    hidden = np.asarray(model(batch)["sequence_output"])[0]
    np.testing.assert_allclose(encoded(masked, "hello world").vectors[0], hidden[1:-1].mean(0), atol=1e-5)


def test_no_position_embeddings(folder):
    engine = engine_of(folder, no_position_embeddings=True)
    vectors = encoded(engine, "hello world", "world hello").vectors
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    engine.encoder.freeze()  # single texts have a program of their own
    engine.encode(["a"])
    assert eventually(lambda: engine.encoder._function.single_texts._current.ready, 120)
    for text in ("hello world", "world hello"):
        np.testing.assert_allclose(encoded(engine, text).vectors[0], vectors[0], atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"no_position_embeddings": True}, {"cased_tokenization": True}])
def test_nobody_else_has_the_model(folder, options):
    """Hence single texts may have a program whose weights are constants."""
    assert engine_of(folder, **options).encoder.weights == "private"


@pytest.mark.parametrize("most, promised", [(1 << 20, True), (0, False)])
def test_single_texts_are_compiled_for_during_the_warm_up(folder, monkeypatch, most, promised):
    monkeypatch.setattr(SentenceEngine, "warm_up", lambda engine: None)
    monkeypatch.setattr(sentence_engine, "UNASKED", most)
    assert engine_of(folder, warm_up=True).encoder.weights == ("frozen" if promised else "private")
    assert engine_of(folder, warm_up=False).encoder.weights == "private"


def test_float16_and_bfloat16(folder, engine):
    assert encoded(engine_of(folder, fp16=True), "a").vectors.dtype == np.float16
    half = encoded(engine_of(folder, dtype="bfloat16", max_seq_len=10), "hello").vectors
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, encoded(engine, "hello").vectors, atol=0.1)


def test_cased(folder):
    assert encoded(engine_of(folder), "Hello").tokens[0][1] == "hello"
    cased = engine_of(folder, cased_tokenization=True)
    assert encoded(cased, "Hello").tokens[0][1] == "Hello" and cased.info.settings["do_lower_case"] is False


def test_fine_tuned_weights_in_a_folder_of_their_own(tmp_path):
    """`-model_dir google -tuned_model_dir mine -ckpt_name model.ckpt-343`: the latter has no vocabulary."""
    source, tuned = tmp_path / "google", tmp_path / "mine"
    save_model(source, format="tf1")
    model = save_model(tuned, format="tf1")
    for path in list(tuned.iterdir()):
        if ".ckpt." in path.name:
            path.rename(tuned / path.name.replace("bert_model.ckpt", "model.ckpt-343"))
        else:
            path.unlink()
    engine = engine_of(source, tuned_model_dir=str(tuned), ckpt_name="model.ckpt-343")
    hidden = model(engine.tokenizer(["hello"]), output_hidden_states=True)["hidden_states"][-2]
    np.testing.assert_allclose(encoded(engine, "hello").vectors[0], np.asarray(hidden)[0].mean(0), atol=1e-5)
    with pytest.raises(FileNotFoundError, match=r"no model\.ckpt-1\.index in .*; checkpoints there: model\.ckpt-343"):
        engine_of(source, tuned_model_dir=str(tuned), ckpt_name="model.ckpt-1")
    with pytest.raises(FileNotFoundError, match="tuned_model_dir is .*nowhere, which is no folder"):
        engine_of(source, tuned_model_dir=str(tmp_path / "nowhere"))


def test_another_name_of_the_configuration(tmp_path):
    model = save_model(tmp_path / "m", format="tf1")
    (tmp_path / "m" / "bert_config.json").rename(tmp_path / "m" / "mine.json")
    engine = engine_of(tmp_path / "m", config_name="mine.json", pooling_layer=[-1])
    expected = np.asarray(model(engine.tokenizer(["hello"]))["sequence_output"])[0].mean(0)
    np.testing.assert_allclose(encoded(engine, "hello").vectors[0], expected, atol=1e-5)


def test_a_model_of_sentence_transformers(tmp_path, model):
    from tfplm.embed.encoder.pooling import PoolingPlan
    from tfplm.embed.encoder.recipe import Recipe
    from tfplm.embed.encoder.sentence_encoder import SentenceEncoder

    save_model(tmp_path / "plain")
    tokenizer = tfplm.Tokenizer.from_pretrained(tmp_path / "plain")
    encoder = SentenceEncoder(model, tokenizer, Recipe(PoolingPlan(), normalize=True, max_length=12))
    encoder.save_pretrained(tmp_path / "st")
    engine = engine_of(tmp_path / "st")
    np.testing.assert_allclose(encoded(engine, "hello 我").vectors, encoder.encode(["hello 我"]), atol=1e-6)
    assert engine.info.settings["max_seq_len"] == 12 and engine.info.settings["pooling_layer"] == [-1]
    raw = engine_of(tmp_path / "st", normalize=False, max_seq_len="NONE")
    assert raw.info.max_length == 40 and abs(np.linalg.norm(encoded(raw, "hello").vectors) - 1) > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {"max_seq_len": 10}, {"pooling_strategy": "NONE", "max_seq_len": "NONE"}, {"mask_cls_sep": True}])
def test_warm_up_changes_nothing(folder, options):
    cold, warm = engine_of(folder, **options), engine_of(folder, warm_up=True, **options)
    np.testing.assert_allclose(encoded(cold, "hello 我").vectors, encoded(warm, "hello 我").vectors, atol=1e-6)


def test_a_source_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no"):
        engine_of(tmp_path / "nothing")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_another_program_gives_the_same_vectors(folder, engine, backend):
    needs(backend)
    other = engine_of(folder, max_seq_len=10, backend=backend, warm_up=True)
    texts = ("hello world", "a b c ||| d e f", ["hello"], [2, 7, 3], "a " * 30)
    np.testing.assert_allclose(encoded(other, *texts).vectors, encoded(engine, *texts).vectors, atol=1e-5)


def test_another_program_has_the_weights_as_they_are():
    with pytest.raises(ValueError, match="no_position_embeddings changes the weights, which the backend onnx has exported"):
        ServeOptions(source="m", backend="onnx", no_position_embeddings=True)
