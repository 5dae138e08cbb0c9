"""Pieces and their places equal those of the library `sentencepiece` in any text, after each family's preprocessing."""

import io
import unicodedata

import numpy as np
import pytest
import sentencepiece

import tfplm
from tests.tokenizers.cases import HARD, lines_of
from tests.tokenizers.random_texts import NOTABLE, random_texts
from tfplm.families import registry
from tfplm.tokenizers import sentencepiece_file

CORPORA = ["wikitext2/valid.txt", "stsb/dev.tsv", "thucnews/dev.txt", "tweeteval_emoji/val_text.txt"]


def as_google(text: str) -> str:
    """`preprocess_text` of the XLNet repository (cased)."""
    text = " ".join(text.strip().split()).replace("``", '"').replace("''", '"')
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def split_numbers(processor, pieces: list[str]) -> list[str]:
    """`encode_pieces` of the XLNet repository: "2008," becomes "2008" and ","."""
    result = []
    for piece in pieces:
        if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
            parts = processor.encode(piece[:-1].replace("▁", ""), out_type=str)
            if piece[0] != "▁" and parts[0][0] == "▁":
                parts = parts[1:] if len(parts[0]) == 1 else [parts[0][1:], *parts[1:]]
            result += [*parts, ","]
        else:
            result.append(piece)
    return result


def texts(data):
    lines = [line for corpus in CORPORA for line in lines_of(data(*corpus.split("/")))] + HARD
    return [line for line in lines if "<unk>" not in line]  # here <unk> in a text is the token itself


@pytest.mark.parametrize("shift", [0, 1])
def test_t5_and_fairseq_layout(data, shift):
    path = data("vocabs", "t5_base_spiece.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    tokenizer = tfplm.Tokenizer.from_sentencepiece(path, "xlm-roberta" if shift else "t5")
    lines = texts(data)
    ours = tokenizer(lines, add_special_tokens=False, padding=False, truncation=False)["input_ids"]
    for line, row in zip(lines, ours):
        expected = [i + shift for i in processor.encode(line)]  # 2, <unk>, is 3 in the layout of fairseq
        assert row.tolist() == expected, line


def test_xlnet(data):
    path = data("vocabs", "xlnet_spiece.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    tokenizer = tfplm.Tokenizer.from_sentencepiece(path, "xlnet")
    lines = texts(data)
    ours = tokenizer(lines, add_special_tokens=False, padding=False, truncation=False)["input_ids"]
    wrong = []
    for line, row in zip(lines, ours):
        pieces = split_numbers(processor, processor.encode(as_google(line), out_type=str))
        expected = [processor.piece_to_id(piece) for piece in pieces]
        if row.tolist() != expected:
            wrong.append((line, tokenizer.convert_ids_to_tokens(row), pieces))
    assert not wrong, (len(wrong), wrong[:3])


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("options", [{}, {"byte_fallback": True}, {"add_dummy_prefix": False}], ids=str)
def test_the_rust_tokenizer_of_trained_models(kind, options):
    model = io.BytesIO()
    corpus = ["the rain in spain stays mainly in the plain", "春眠不觉晓处处闻啼鸟", "3.14 is pi and 2.72 is e"] * 30
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=model, vocab_size=420,
                                             model_type=kind, hard_vocab_limit=False, minloglevel=2, **options)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    parsed = sentencepiece_file.parse(model.getvalue())
    assert [piece for piece, _, _ in parsed.pieces] == [processor.id_to_piece(i) for i in range(len(processor))]
    backend = sentencepiece_file.build(parsed, registry.rules_for("t5"))
    for text in ["the rain", "rain,3.14", "春眠 plain 2", "unknown ÿ 龘", "a  b", ""]:
        assert backend.encode(text, add_special_tokens=False).ids == processor.encode(text), text


def test_a_truncated_file(data, tmp_path):
    whole = data("vocabs", "t5_base_spiece.model").read_bytes()
    (tmp_path / "spiece.model").write_bytes(whole[:100_001])
    with pytest.raises(ValueError, match=r"spiece.model \(100001 bytes\) is not a complete SentencePiece model"):
        tfplm.Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(("content", "message"), [
    (b"", r"the file has 0 pieces of SentencePiece model type 1: expected a unigram \(1\) or BPE \(2\) model"),
    (b"\x0a\x03\x0a\x01a\x12\x02\x18\x03", "has 1 pieces of SentencePiece model type 3"),  # words
    (b"\x0a\x05\x15\x00\x00\x00\x00", r"\(7 bytes\) is not a complete SentencePiece model: a piece without text"),
    (b"\x0a\x03\x0a\x01\xff", "is not a complete SentencePiece model: .*utf-8"),
    (b"SQLite format 3", "is not a complete SentencePiece model"),
])
def test_files_that_are_something_else(content, message):
    with pytest.raises(ValueError, match=message):
        sentencepiece_file.parse(content)


def test_defaults_of_the_format():
    parsed = sentencepiece_file.parse(b"\x0a\x03\x0a\x01a")
    assert parsed == sentencepiece_file.Model([("a", 0.0, 1)], 1, False, b"", True, True)


CORPUS = ["the rain in spain stays mainly in the plain", "春眠不觉晓处处闻啼鸟", "3.14 is pi, and 2.72 is e",
          "Ünïcode ﬁne ½ Ⅷ"] * 30
SYMBOLS = ["<sep>", "3.14", "▁in", "觉晓", "::", "<s2>"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A function from options to (processor, path of the model)."""
    made = {}

    def train(kind="unigram", **options):
        key = (kind, *sorted(map(str, options.items())))
        if key not in made:
            model = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=430, model_type=kind, pad_id=0, eos_id=1,
                unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2, **options)
            path = tmp_path_factory.mktemp("trained") / "spiece.model"
            path.write_bytes(model.getvalue())
            made[key] = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()), path
        return made[key]

    return train


OPTIONS = [{}, {"byte_fallback": True}, {"add_dummy_prefix": False}, {"remove_extra_whitespaces": False},
           {"user_defined_symbols": SYMBOLS}, {"control_symbols": ["<ctl>"]}, {"normalization_rule_name": "identity"},
           {"normalization_rule_name": "nfkc_cf"}, {"normalization_rule_name": "nmt_nfkc_cf"},
           {"normalization_rule_name": "nfkc"}, {"treat_whitespace_as_suffix": True},
           {"byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False},
           {"user_defined_symbols": SYMBOLS, "add_dummy_prefix": False, "remove_extra_whitespaces": False},
           {"split_digits": True, "allow_whitespace_only_pieces": True, "remove_extra_whitespaces": False}]
MIXED = ["the rain 3.14 in::spain<sep>觉晓<s2>", "  in  in ", " ", "", "a\n\nb", "<sep>", "▁in ▁ ▁▁", "rain▁in",
         "in the３.14"]


def checked(tokenizer, processor, texts):
    ids = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    assert [text for text, row in zip(texts, ids) if row.tolist() != processor.encode(text)] == []
    placed = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False, return_offsets=True,
                       return_word_ids=True)
    for text, row, again, offsets, words in zip(texts, ids, placed["input_ids"], placed["offsets"], placed["word_ids"]):
        np.testing.assert_array_equal(row, again)
        assert (np.diff(words) >= 0).all() and (offsets[:, 0] <= offsets[:, 1]).all() and (np.diff(offsets[:, 0]) >= 0).all()
        assert len(row) == 0 or (offsets.min() >= 0 and offsets.max() <= len(text) and (np.diff(offsets) > 0).all()), text


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_trained_models(trained, kind, options, tmp_path):
    processor, path = trained(kind, **options)
    tokenizer = tfplm.Tokenizer.from_pretrained(path)
    texts = [*MIXED, *HARD, *NOTABLE, *random_texts(300, len(str(options)))]
    checked(tokenizer, processor, texts)
    tokenizer.save_pretrained(tmp_path)
    checked(tfplm.Tokenizer.from_pretrained(tmp_path), processor, MIXED)


@pytest.mark.parametrize("count", [2000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_random_texts(data, count):
    path = data("vocabs", "t5_base_spiece.model")
    checked(tfplm.Tokenizer.from_pretrained(path), sentencepiece.SentencePieceProcessor(model_file=str(path)),
            [*random_texts(count, count + 1), *HARD])


@pytest.mark.parametrize("lower_case", [False, True])
@pytest.mark.parametrize("count", [1000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_random_texts_after_the_preprocessing_of_xlnet(data, count, lower_case):
    path = data("vocabs", "xlnet_spiece.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    tokenizer = tfplm.Tokenizer.from_sentencepiece(path, "xlnet", lowercase=lower_case)
    texts = [*random_texts(count, count + 2), *HARD, *("".join(t) for t in zip("0123456789" * 9, "²,1,٣,,½ " * 10)),
             "in 2008, and ``2,008,'' of 19９9, ²,", "`` '' '`' ```", " a\u0301\u0344, ", "हिन्दी, ไทย ❤️"]
    ids = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False, return_offsets=True)
    for text, row, offsets in zip(texts, ids["input_ids"], ids["offsets"]):
        plain = as_google(text).lower() if lower_case else as_google(text)
        pieces = split_numbers(processor, processor.encode(plain, out_type=str))
        assert row.tolist() == [processor.piece_to_id(piece) for piece in pieces], text
        assert len(row) == 0 or (offsets.min() >= 0 and offsets.max() <= len(text) and (np.diff(offsets[:, 0]) >= 0).all())


def test_places(data):
    tokenizer = tfplm.Tokenizer.from_pretrained(data("vocabs", "t5_base_spiece.model"))

    def surfaces(text):
        offsets = tokenizer(text, add_special_tokens=False, return_offsets=True)["offsets"][0]
        return [text[start:end] for start, end in offsets]

    assert surfaces("  Hello   wörld,\u3000ﬁne") == ["Hello", "w", "w", "ör", "l", "d", ",", "ﬁne"]
    assert surfaces("龘 the") == ["龘", "龘", "the"]  # the first one is the mark of the start of a word
    assert surfaces("a\x01b <extra_id_0> c")[-3:] == ["<extra_id_0>", "c", "c"]


def test_places_after_the_preprocessing_of_xlnet(data):
    tokenizer = tfplm.Tokenizer.from_sentencepiece(data("vocabs", "xlnet_spiece.model"), "xlnet", lowercase=True)
    text = "  ``Cafe\u0301'' of  İstanbul, in 2008, cost ½ more"
    batch = tokenizer(text, add_special_tokens=False, return_offsets=True)
    places = dict(zip(batch["input_ids"][0].tolist(), batch["offsets"][0].tolist()))
    for word, place in (("▁in", "in"), ("▁cost", "cost"), ("▁more", "more"), ("▁2008", "2008"), ("▁of", "of")):
        start, end = places[tokenizer.vocab[word]]
        assert text[start:end] == place
    assert batch["offsets"].max() == len(text) and batch["offsets"].min() == 2


def test_cut_paired_and_split_rows_equal_single_ones(trained):
    processor, path = trained("unigram", user_defined_symbols=SYMBOLS)
    tokenizer = tfplm.Tokenizer.from_pretrained(path)
    batch = tokenizer(["the rain in spain", "plain rain"], ["3.14 is pi", "is"], max_length=14, return_offsets=True,
                      truncation="only_first")
    assert (batch["input_ids"] == 1).sum(1).tolist() == [2, 2]
    first, pieces = processor.encode("the rain in spain"), processor.encode("3.14 is pi")
    assert batch["input_ids"][0].tolist() == [*first[:12 - len(pieces)], 1, *pieces, 1]
    words = tokenizer([["the", "rain", "", "in"]], is_split_into_words=True, return_word_ids=True, return_offsets=True)
    expected = [(index, i) for index, word in enumerate(["the", "rain", "", "in"]) for i in processor.encode(word)]
    assert list(zip(words["word_ids"][0].tolist(), words["input_ids"][0].tolist()))[:-1] == expected
    windows = tokenizer("the rain in spain stays", max_length=5, stride=2, return_offsets=True)
    whole = processor.encode("the rain in spain stays")
    assert windows["input_ids"][0, :4].tolist() == whole[:4] and windows["input_ids"][1, :4].tolist() == whole[2:6]
    assert windows["offsets"].max() == 23


@pytest.mark.parametrize("suffix", [False, True])
def test_words(trained, suffix):
    _, path = trained(treat_whitespace_as_suffix=suffix)
    tokenizer = tfplm.Tokenizer.from_pretrained(path)
    text = "the rain  in " + ("" if suffix else "春眠 龘x ") + "<extra_id_0>the plain"
    batch = tokenizer(text, add_special_tokens=False, return_word_ids=True, return_offsets=True)
    words: dict[int, list] = {}
    for word, (start, end) in zip(batch["word_ids"][0].tolist(), batch["offsets"][0].tolist()):
        words.setdefault(word, []).extend([start, end])
    assert [text[min(places):max(places)] for places in words.values()] == [
        "the", "rain", "in", *([] if suffix else ["春眠", "龘x"]), "<extra_id_0>", "the", "plain"]


def test_a_lower_cased_model_without_preprocessing(trained, tmp_path):
    processor, path = trained()
    tokenizer = tfplm.Tokenizer.from_sentencepiece(path, "t5", lowercase=True)
    tokenizer.save_pretrained(tmp_path)
    for same in (tokenizer, tfplm.Tokenizer.from_pretrained(tmp_path)):
        ids = same("THE Rain İn", add_special_tokens=False)["input_ids"][0].tolist()
        assert ids == processor.encode("the rain i\u0307n")


def test_a_model_of_other_ids_is_not_used(data, tmp_path, trained):
    """A folder whose tokenizer.json has been changed beside its old .model file keeps the ids of tokenizer.json."""
    _, path = trained()
    tfplm.Tokenizer.from_pretrained(path).save_pretrained(tmp_path)
    (tmp_path / "spiece.model").write_bytes(data("vocabs", "t5_base_spiece.model").read_bytes())
    again = tfplm.Tokenizer.from_pretrained(tmp_path)
    assert again.tokenize("rain") == tfplm.Tokenizer.from_pretrained(path).tokenize("rain")
