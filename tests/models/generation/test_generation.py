"""`model.generate`: caches, padding, sampling, end of texts, callbacks, errors."""

import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.models.generation.generation_models import bart, by_full_computation, gpt2, make, prompts, t5

NO_END = {"eos_token_id": -1}


@pytest.fixture(autouse=True)
def eager(request):
    """Graphs of many small programs take longer to trace than to run; only tests named `compiled` use them."""
    tf.config.run_functions_eagerly("compiled" not in request.node.name)
    yield
    tf.config.run_functions_eagerly(False)


def new_tokens(model, batch, **options):
    """The result of `generate` without the prompts."""
    result = model.generate(batch, **{**NO_END, **options})
    return result if model.config.architecture == "seq2seq" else result[:, batch["input_ids"].shape[1]:]


@pytest.mark.parametrize("make_model", [gpt2, bart, t5])
@pytest.mark.parametrize("side", ["left", "right"])
def test_cached_equals_uncached_for_any_padding(make_model, side):
    model = make_model()
    expected = by_full_computation(model, 8)
    assert len({tuple(row) for row in expected}) == 3
    found = model.generate(prompts(side), max_new_tokens=8, **NO_END)
    if model.config.architecture == "seq2seq":
        assert found.tolist() == expected.tolist()
    for row, (length, text) in enumerate(zip((6, 3, 1), expected)):
        if model.config.architecture == "decoder":
            end = 14 if side == "left" else length + 8
            assert found[row, end - 8:end].tolist() == text.tolist()


@pytest.mark.parametrize(("make_model", "jit_compile"), [
    (gpt2, True), *[pytest.param(*case, marks=pytest.mark.slow) for case in ((gpt2, False), (bart, False), (bart, True))]])
def test_compiled_equals_eager(make_model, jit_compile):
    found = new_tokens(make_model(), prompts("left"), max_new_tokens=8, jit_compile=jit_compile)
    assert found.tolist() == by_full_computation(make_model(), 8).tolist()


def test_compiled_once_for_all_numbers():
    model = make("gpt2", eos_token_id=None, max_position_embeddings=99)
    for length, new, temperature in ((4, 5, 0.5), (9, 16, 0.7), (16, 12, 1.3)):
        options = {"max_new_tokens": new, "temperature": temperature, "seed": new}
        model.generate(prompts("right", (length,)), do_sample=True, **options)
    (program,) = model._generating_programs.values()
    assert program.proceed.experimental_get_tracing_count() == program.start.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("overrides", [
    {"attention_type": "sparse", "attention_window": 3}, {"position_type": "bucketed"}, {"position_type": "rotary"},
    *[pytest.param(fields, marks=pytest.mark.slow) for fields in (
        {"share": "all"}, {"position_type": "sinusoidal"}, {"norm_placement": "post", "final_norm": False},
        {"embedding_size": 16, "lm_transform": True},
        {"position_type": "rotary", "rope_interleaved": True, "layer_pattern": ("local",), "attention_window": 3})]])
def test_cached_equals_uncached_for_other_stacks(overrides):
    model = gpt2(**overrides)
    found = new_tokens(model, prompts("left"), max_new_tokens=8)
    assert found.tolist() == by_full_computation(model, 8).tolist()


@pytest.mark.parametrize("preset", [pytest.param("bert-base-chinese", marks=pytest.mark.slow), "roberta-base"])
def test_encoders_with_causal_attention(preset):
    model = make(preset, attention_type="causal", max_position_embeddings=64, pad_token_id=1)
    found = new_tokens(model, prompts("left"), max_new_tokens=6)
    assert found.tolist() == by_full_computation(model, 6).tolist()


def test_prefix_language_model():
    model = make("bert-base-chinese", attention_type="prefix", max_position_embeddings=64)
    text, source = [7, 9, 11, 20], 4
    for _ in range(6):
        segments = [0] * source + [1] * (len(text) - source)
        logits = model({"input_ids": np.array([text]), "token_type_ids": np.array([segments])})
        text.append(int(np.argmax(logits[0, -1])))
    assert model.generate(np.array([[7, 9, 11, 20]]), max_new_tokens=6, **NO_END).tolist() == [text]


@pytest.mark.parametrize("make_model", [gpt2, pytest.param(t5, marks=pytest.mark.slow)])
def test_beams_do_not_depend_on_padding_or_neighbours(make_model):
    options = {"num_beams": 3, "max_new_tokens": 7, "no_repeat_ngram_size": 2, "repetition_penalty": 1.3,
               "eos_token_id": [8, 9, 10, 11, 12], "pad_token_id": 0, "num_return_sequences": 2}
    together = new_tokens(make_model(), prompts("left"), **options)
    for row, length in enumerate((6, 3, 1)):
        alone = prompts("left")["input_ids"][row:row + 1, 6 - length:]
        alone = new_tokens(make_model(), {"input_ids": alone}, **options)
        width = alone.shape[1]
        assert together[2 * row:2 * row + 2, :width].tolist() == alone.tolist()
        assert not together[2 * row:2 * row + 2, width:].any()


def test_the_first_of_many_beams_is_greedy_for_one_token():
    model = gpt2()
    wide, scores = model.generate(prompts("left"), num_beams=8, max_new_tokens=1, return_scores=True, **NO_END)
    assert wide.tolist() == model.generate(prompts("left"), max_new_tokens=1, **NO_END).tolist()
    assert scores.shape == (3,) and (scores < 0).all()


def test_sampling_follows_the_distribution_and_the_seed():
    model, batch = gpt2(), {"input_ids": np.array([[3, 4]])}
    options = {"max_new_tokens": 1, "do_sample": True, "num_return_sequences": 4000, **NO_END}
    expected = np.array(tf.nn.softmax(model(batch)[0, -1] / 2.0))
    found = np.bincount(model.generate(batch, seed=1, temperature=2.0, **options)[:, -1], minlength=67) / 4000
    assert np.abs(found - expected).sum() < 0.15
    likely = set(np.argsort(expected)[-5:])
    assert set(model.generate(batch, seed=1, top_k=5, temperature=9.0, **options)[:, -1]) == likely


def test_same_seed_same_text():
    options = {"max_new_tokens": 8, "do_sample": True, **NO_END}
    first, second, other = (gpt2().generate(prompts("left"), seed=seed, **options) for seed in (5, 5, 6))
    assert first.tolist() == second.tolist() != other.tolist()
    assert gpt2().generate(prompts("left"), **options).tolist() != gpt2().generate(prompts("left"), **options).tolist()


def test_samples_of_one_prompt_differ():
    samples = new_tokens(gpt2(), prompts("left"), do_sample=True, num_return_sequences=4, seed=1, max_new_tokens=8)
    assert samples.shape == (12, 8) and len({tuple(row) for row in samples}) == 12


def test_ends():
    model, batch = gpt2(), prompts("left")
    free = new_tokens(model, batch, max_new_tokens=8)
    end, stop = int(free[0, 3]), free[1, 2:4].tolist()
    cut = new_tokens(model, batch, max_new_tokens=8, eos_token_id=end, pad_token_id=0)
    position = free[0].tolist().index(end)
    assert cut[0].tolist() == free[0, :position + 1].tolist() + [0] * (cut.shape[1] - position - 1)
    later = new_tokens(model, batch, max_new_tokens=8, eos_token_id=end, min_new_tokens=8)
    assert later.shape == (3, 8) and end not in later[:, :7]
    stopped = new_tokens(model, batch, max_new_tokens=8, stop_sequences=[stop, [66, 66, 66]], pad_token_id=1)
    assert stopped[1].tolist()[:4] == free[1, :4].tolist() and set(stopped[1].tolist()[4:]) <= {1}
    second = {name: values[1:2] for name, values in batch.items()}
    assert new_tokens(model, second, max_new_tokens=8, stop_sequences=stop).shape == (1, 4)


def test_a_stop_sequence_does_not_start_in_the_prompt():
    batch = {"input_ids": np.array([[3, 4, 5, 6]])}
    free = new_tokens(gpt2(), batch, max_new_tokens=4)
    assert new_tokens(gpt2(), batch, max_new_tokens=4, stop_sequences=[6, int(free[0, 0])]).shape == (1, 4)


def test_callback_receives_each_token_and_can_stop():
    model, batch, received = gpt2(), prompts("left"), []
    free = new_tokens(model, batch, max_new_tokens=8)
    found = new_tokens(model, batch, max_new_tokens=8, on_token=lambda ids: received.append(ids))
    assert found.tolist() == np.stack(received, axis=1).tolist() == free.tolist()
    received.clear()
    stopped = new_tokens(model, batch, max_new_tokens=8,
                         on_token=lambda ids: bool(received.append(ids)) or len(received) < 3)
    assert stopped.tolist() == free[:, :3].tolist()


def test_right_padding_is_at_the_end():
    model, batch = gpt2(), prompts("right")
    found, left = model.generate(batch, max_new_tokens=4, pad_token_id=2, **NO_END), \
        model.generate(prompts("left"), max_new_tokens=4, **NO_END)
    assert found[2].tolist() == [*left[2, 5:].tolist(), 2, 2, 2, 2, 2]


def test_continues_decoder_ids():
    model, batch = bart(), prompts("right")
    whole = model.generate(batch, max_new_tokens=8, **NO_END)
    rest = model.generate({**batch, "decoder_input_ids": whole[:, :4]}, max_new_tokens=5, **NO_END)
    assert rest.tolist() == whole.tolist()


def test_row_of_bfloat16_through_transposed_weights_compiled(monkeypatch):
    from tfplm.models.generation import program
    model = make("gpt2", dtype="bfloat16", eos_token_id=None, max_position_embeddings=64)
    batch = prompts("left", (5,))
    plain = model.generate(batch, max_new_tokens=8, **NO_END)
    monkeypatch.setattr(program, "LARGE", 0)
    found = model.generate(batch, max_new_tokens=8, **NO_END)
    assert any(plan.rowwise and plan.jit_compile for plan in model._generating_programs)
    # products are summed in another order, so texts can differ after two tokens with close scores
    assert found[0, :7].tolist() == plain[0, :7].tolist()


@pytest.mark.parametrize("options,message", [
    ({"max_new_token": 3}, "unknown option of generate: 'max_new_token' .did you mean 'max_new_tokens'"),
    ({"max_new_tokens": 0}, "max_new_tokens is 0, expected an int of at least 1"),
    ({"max_new_tokens": 90}, r"has 6 tokens and max_new_tokens is 90, .* has 64 positions: use max_new_tokens=59"),
    ({"top_p": 1.5, "do_sample": True}, "top_p is 1.5, expected a probability"),
    ({"temperature": 0.0, "do_sample": True}, "temperature is 0.0, expected more than 0; .* do_sample=False"),
    ({"top_k": 5}, "top_k is for sampling: add do_sample=True"),
    ({"num_beams": 2, "num_return_sequences": 3}, "num_return_sequences is 3, but only num_beams 2"),
    ({"num_return_sequences": 3}, "greedy search has one result"),
    ({"early_stopping": "maybe"}, "early_stopping is 'maybe', expected True, False or 'never'"),
    ({"num_beams": 2, "on_token": print}, "num_beams is 2 with on_token; expected 1"),
    ({"return_scores": True}, "num_beams is 1 with return_scores; expected 2 or more"),
    ({"eos_token_id": 67}, "eos_token_id is 67; expected an id from 0 to 66"),
    ({"min_new_tokens": 21}, "min_new_tokens is 21, expected at most max_new_tokens, 20"),
    ({"stop_sequences": [[]]}, "stop_sequences has an empty sequence"),
])
def test_wrong_options(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        gpt2().generate(prompts(), **options)


@pytest.mark.parametrize("batch,message", [
    ({"input_ids": np.zeros((1, 65), int)}, "has 65 tokens and max_new_tokens is 20, .*: truncate it to fewer than 64"),
    ({"input_ids": np.array([[3, 70]])}, "input_ids contains 70; expected ids from 0 to 66"),
    ({"input_ids": np.ones((2, 3), int), "attention_mask": np.array([[1, 1, 1], [0, 0, 0]])}, "prompt 1 is empty"),
    ({"input_ids": np.ones((2, 0), int)}, "the batch is empty"),
    ({"input_ids": np.ones((2, 3), int), "attention_mask": np.ones((2, 4), int)},
     r"attention_mask has the shape \[2, 4\], but input_ids has \[2, 3\]; expected \[batch, tokens\]"),
    ({"input_ids": np.ones(3, int)}, r"input_ids has the shape \[3\]; expected \[batch, tokens\]"),
    ({"ids": np.ones((1, 3), int)}, "the batch has the keys 'ids'; expected 'input_ids'"),
])
def test_wrong_batches(batch, message):
    with pytest.raises(ValueError, match=message):
        gpt2().generate(batch)


def test_wrong_models():
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20}
    with pytest.raises(ValueError, match="the model has the head None; generate needs 'causal_lm'"):
        tfplm.from_config("gpt2", **size).generate(np.array([[1]]))
    with pytest.raises(ValueError, match="the model has the head None; generate needs 'seq2seq_lm'"):
        tfplm.from_config("t5-small", **size).generate(np.array([[1]]))
    with pytest.raises(ValueError, match="attention_type is 'full'; .*: load it with attention_type='causal'"):
        tfplm.from_config("bert-base-uncased", "causal_lm", **size).generate(np.array([[1]]))
    with pytest.raises(ValueError, match="decoder_start_token_id is None; expected the code of the language"):
        tfplm.from_config("mbart-large-cc25", "seq2seq_lm", **size, forced_eos_token_id=None, eos_token_id=2).generate(
            np.array([[1]]))
