"""SentencePiece models give the same ids as the library `sentencepiece`, after each family's preprocessing."""

import io
import unicodedata

import pytest
import sentencepiece

import tfplm
from tests.tokenizers.cases import HARD, lines_of
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
def test_trained_models(kind, options):
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
