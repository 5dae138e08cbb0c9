"""Exported language models: `generate` in one graph, text to text, and logits with a cache."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.export.stranger import stranger
from tests.models.generation.generation_models import bart, by_full_computation, gpt2, prompts, t5
from tests.models.portable.portable_cases import needs
from tfplm.models.portable.decoders.generation import portable_generation
from tfplm.models.portable.decoders.past import portables_with_past
from tfplm.models.portable.formats import FORMATS, open_session, write
from tfplm.models.portable.graph import argument, trace
from tfplm.models.portable.signatures import portable_model
from tfplm.options.generate import GenerationOptions
from tfplm.tokenizers.train import train_vocabulary

NO_END = {"eos_token_id": -1}


@pytest.mark.parametrize("make", [gpt2, *[pytest.param(make, marks=pytest.mark.slow) for make in (bart, t5)]])
def test_generation_in_one_graph(make):
    model = make()
    graph = trace(portable_generation(model, GenerationOptions(max_new_tokens=8, **NO_END)), form="flat")
    expected = by_full_computation(model, 8)
    for side in ("left", "right"):
        found = graph(**{name: np.asarray(array) for name, array in prompts(side).items()})["output_ids"]
        assert found.numpy().tolist() == expected[:, -8:].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"num_beams": 3, "num_return_sequences": 2}, {"do_sample": True, "top_k": 20}], ids=str)
def test_beams_and_samples(options):
    model, batch = gpt2(), prompts("left")
    graph = trace(portable_generation(model, GenerationOptions(max_new_tokens=5, **options, **NO_END)), form="flat")
    seed = {"seed": np.int32(3)} if "do_sample" in options else {}
    expected = model.generate(batch, max_new_tokens=5, jit_compile=False, **options, **NO_END, **seed)[:, 6:]
    assert graph(**batch, **seed)["output_ids"].numpy().tolist() == expected.tolist()


def check_steps(model, part):
    """The prompt, one token, then two at once, of rows with padding: the logits of the whole.

    part: name of a function with a cache -> that function, from arrays to arrays.
    """
    ids = np.random.default_rng(0).integers(3, 60, (2, 9)).astype(np.int32)
    mask, given = np.ones_like(ids), {}
    if model.is_seq2seq:  # decoders of pairs count positions from the left edge
        source = {"input_ids": ids[:, ::-1].copy(), "attention_mask": np.ones_like(ids)}
        whole = {**source, "decoder_input_ids": ids, "decoder_attention_mask": mask}
        given = {name.replace("present", "past_key_values"): value for name, value in part("encode")(source).items()}
        given["encoder_attention_mask"] = source["attention_mask"]
    else:
        mask[1, :2] = 0
        whole = {"input_ids": ids, "attention_mask": mask, "position_ids": np.maximum(mask.cumsum(1) - 1, 0)}
    step, expected = part("step"), np.asarray(model(whole))
    past = {name: np.zeros([2, spec.shape[1], 0, spec.shape[3]], np.float32)
            for name, spec in portables_with_past(model)["step"].inputs.items()
            if name.startswith("past_key_values") and ".encoder." not in name}
    for start, end in ((0, 6), (6, 7), (7, 9)):
        found = step({"input_ids": ids[:, start:end], "attention_mask": mask[:, :end], **past, **given})
        real = mask[:, start:end] != 0
        np.testing.assert_allclose(found["logits"][real], expected[:, start:end][real], atol=2e-4)
        past = {name.replace("present", "past_key_values"): value for name, value in found.items() if name != "logits"}


def traced(portable):
    """A function of arrays."""
    graph = trace(dataclasses.replace(portable, ids=tf.int32), "flat")
    return lambda batch: {name: tensor.numpy() for name, tensor in graph(
        **{argument(name): tf.constant(array) for name, array in batch.items()}).items()}


@pytest.mark.parametrize("make", [gpt2, *[pytest.param(make, marks=pytest.mark.slow) for make in (bart, t5)]])
def test_steps_with_a_cache(make):
    functions = {name: traced(portable) for name, portable in portables_with_past(make()).items()}
    check_steps(make(), functions.__getitem__)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["litert", "onnx", pytest.param("openvino", marks=pytest.mark.all)])
@pytest.mark.parametrize("make", [gpt2, t5])
def test_steps_with_a_cache_in_files(make, name, tmp_path):
    needs(name)
    portable = dataclasses.replace(portable_model(make()), also=portables_with_past(make()))
    write(portable, tmp_path, name)
    module, session = FORMATS[name].load(), open_session(tmp_path, name)
    check_steps(make(), session.part if name == "litert" else
                lambda part: module.open_session(module.part(tmp_path, part)))


TEXTS = ["Once upon a time", "从前有一座山"]


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    """(model, tokenizer, folder)."""
    folder = tmp_path_factory.mktemp("language_model")
    tokenizer = train_vocabulary(TEXTS * 3, "byte_bpe", 300, model_type="gpt2")
    model = tfplm.from_config("gpt2", "causal_lm", hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                              initializer_range=0.5, max_position_embeddings=32, vocab_size=len(tokenizer),
                              bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id)
    tfplm.save_pretrained(model, folder, tokenizer)
    return model, tokenizer, folder


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_cache_is_checked_at_the_export(language_model, tmp_path, precision):
    needs("litert")
    report = tfplm.export(language_model[2], tmp_path / "lite", format="litert", precision=precision)
    assert {"logits", "logits with a cache"} == set(report.agreement)
    assert open_session(tmp_path / "lite", "litert").parts == ("step",)


@pytest.mark.slow
def test_text_to_text_without_tfplm(language_model, tmp_path):
    pytest.importorskip("tensorflow_text", reason="tensorflow-text not installed: pip install -e '.[text]'")
    model, tokenizer, folder = language_model
    report = tfplm.export(folder, tmp_path / "served", format="saved_model", max_new_tokens=6)
    assert report.agreement["output_ids"].cosine == 1
    ids = [tokenizer(text)["input_ids"][0] for text in TEXTS]
    expected = [tokenizer.decode(model.generate(row[None], max_new_tokens=6)[0, len(row):]) for row in ids]
    assert stranger(tmp_path / "served", text=TEXTS)["text"] == expected
    session = open_session(tmp_path / "served", "saved_model")
    with pytest.raises(Exception, match="a prompt is empty; expected at least one token"):
        session.generate({"input_ids": np.zeros((1, 3), np.int32), "attention_mask": np.zeros((1, 3), np.int32)})
