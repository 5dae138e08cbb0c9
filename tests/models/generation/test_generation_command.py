"""`tfplm generate`: texts of prompts, and the same text when it is streamed."""

import io
import json

import pytest
from tokenizers.pre_tokenizers import ByteLevel

import tfplm
from tests.models.generation.generation_models import make
from tests.models.scoring.language_model_cases import save
from tfplm.models.generation.command import generate, until
from tfplm.models.scoring import gibbs_sample
from tfplm.options.generate import GenerateOptions, GenerationOptions

pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A byte-level GPT-2 with random weights, and its tokenizer."""
    folder = tmp_path_factory.mktemp("gpt2")
    tokens = [*sorted(ByteLevel.alphabet()), "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = tfplm.Tokenizer.from_bpe(folder / "vocab.json", folder / "merges.txt", "gpt2")
    model = make("gpt2", vocab_size=257, eos_token_id=256, bos_token_id=256, max_position_embeddings=64)
    tfplm.save_pretrained(model, folder, tokenizer)
    return str(folder)


def test_texts_equal_those_of_generate(source, capsys):
    texts = generate(source=source, prompts=["我爱自然语言", "ab"], max_new_tokens=6, quiet=True)
    assert capsys.readouterr().out == "".join(text + "\n" for text in texts)
    model, tokenizer = tfplm.from_pretrained(source, "causal_lm"), tfplm.Tokenizer.from_pretrained(source)
    for prompt, text in zip(["我爱自然语言", "ab"], texts):
        ids = tokenizer(prompt)["input_ids"]
        assert text == tokenizer.decode(model.generate(ids, max_new_tokens=6)[0, ids.shape[1]:])


def test_streamed_text_is_the_same(source, capsys):
    options = {"source": source, "prompts": ["我爱"], "max_new_tokens": 12, "do_sample": True, "seed": 4}
    (whole,) = generate(**options)
    capsys.readouterr()
    generate(**options, stream=True)
    assert capsys.readouterr().out == whole + "\n"
    generate(**options, stream=True, stop=[whole[3:5]])
    assert capsys.readouterr().out == until(whole, [whole[3:5]]) + "\n"


def test_prompts_from_standard_input(source, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("ab\ncde\n"))
    texts = generate(source=source, max_new_tokens=4, full=True, do_sample=True, num_return_sequences=2, batch_size=1)
    assert [text[:2] for text in texts] == ["ab", "ab", "cd", "cd"]


def test_stream_needs_one_prompt(source):
    with pytest.raises(ValueError, match="--stream with 2 prompts, .*; expected one prompt as an argument"):
        generate(source=source, prompts=["a", "b"], stream=True)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save("bert", tmp_path_factory.mktemp("bert")).folder


def test_a_masked_model_samples_by_gibbs(bert, capsys):
    options = {"source": str(bert), "prompts": ["今天", "玄德"], "max_new_tokens": 3, "sweeps": 1, "burn_in": 0,
               "do_sample": True, "num_return_sequences": 2, "top_k": 4, "temperature": 0.7, "seed": 3, "quiet": True}
    texts = generate(full=True, **options)
    assert capsys.readouterr().out == "".join(text + "\n" for text in texts)
    settings = {"length": 3, "sweeps": 1, "burn_in": 0, "top_k": 4, "temperature": 0.7, "seed": 3, "batch_size": 8}
    assert texts == [text for prompt in options["prompts"] for text in gibbs_sample(bert, 2, prompt=prompt, **settings)]
    parts = generate(**options)
    assert [part.replace(" ", "") for part in parts] == [
        text.replace(" ", "")[2:] for text in texts]


def test_a_masked_model_samples_lines_of_standard_input_or_from_nothing(bert, monkeypatch):
    options = {"source": str(bert), "max_new_tokens": 2, "sweeps": 1, "updates": "parallel", "quiet": True, "full": True}
    monkeypatch.setattr("sys.stdin", io.StringIO("天\n气\n"))
    assert [text[0] for text in generate(**options)] == ["天", "气"]
    assert len(generate(**options)) == 1


@pytest.mark.parametrize("option", [{"num_beams": 2}, {"stop": ["。"]}, {"top_p": 0.5, "do_sample": True}])
def test_options_that_gibbs_sampling_has_not(bert, option):
    with pytest.raises(ValueError, match=f"is a masked language model, which samples text by Gibbs sampling, without "
                                         f"{next(iter(option))}: omit this, or use a model such as gpt2"):
        generate(source=str(bert), prompts=["天"], quiet=True, **option)


def test_until():
    assert until("一二三。四", ["四", "。"]) == "一二三" and until("一二", ["五"]) == "一二"


def test_flags_are_the_keywords_of_generate():
    names = GenerationOptions.__dataclass_fields__.keys()
    assert names <= GenerateOptions.__dataclass_fields__.keys() and len(names) == 21
    assert GenerateOptions(source="x", stop_sequences=[1, 2], early_stopping=True, eos_token_id=3) == \
        GenerateOptions(source="x", stop_sequences=[[1, 2]], early_stopping="true", eos_token_id=[3])
