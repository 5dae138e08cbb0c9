import numpy as np
import pytest

from tests.data.text_cases import make_text, make_tokenizer
from tfplm.data.sequences.documents import encode_documents, noise_vocabulary
from tfplm.data.text.corpus import documents_of_lines
from tfplm.data.text.segmenter import jieba_segmenter, word_starts
from tfplm.tokenizers import Tokenizer


def test_documents_of_ids(tmp_path):
    tokenizer = make_tokenizer(tmp_path)
    texts = list(documents_of_lines(make_text(300).splitlines(), "sentences"))
    documents = list(encode_documents(texts, tokenizer))
    assert len(documents) == len(texts)
    for document, sentences in zip(documents, texts):
        assert document.ids.dtype == np.int32 and document.sentence_lengths.sum() == len(document)
        assert len(document.word_starts) == len(document)
        expected = [tokenizer.tokenize(sentence) for sentence in sentences]
        assert tokenizer.convert_ids_to_tokens(document.ids) == [token for tokens in expected for token in tokens]
        assert document.sentence_lengths.tolist() == [len(tokens) for tokens in expected]
        flags = [not token.startswith("##") for tokens in expected for token in tokens]
        assert document.word_starts.tolist() == flags


def test_words_of_other_tokenizers(data):
    folder = data("vocabs", "gpt2")
    tokenizer = Tokenizer.from_bpe(folder / "encoder.json", folder / "vocab.bpe")
    (document,) = encode_documents([["An unbelievably large model."]], tokenizer)
    words, tokens = [], tokenizer.convert_ids_to_tokens(document.ids)
    for token, start in zip(tokens, document.word_starts):
        words.append(token) if start else words.append(words.pop() + token)
    assert words == ["An", "Ġunbelievably", "Ġlarge", "Ġmodel", "."]


def test_chinese_words(data):
    pytest.importorskip("jieba")
    tokenizer = Tokenizer.from_vocab(data("vocabs", "bert_base_chinese_vocab.txt"))
    text = "使用语言模型来预测下一个词的概率，using transformers。"
    (document,) = encode_documents([[text]], tokenizer, jieba_segmenter())
    words = []
    for token, start in zip(tokenizer.convert_ids_to_tokens(document.ids), document.word_starts):
        token = token.removeprefix("##")
        words.append(token) if start else words.append(words.pop() + token)
    assert "".join(words) == text.replace(" ", "")
    assert {"使用", "语言", "模型", "概率", "transformers"} <= set(words)


def test_alignment_of_words_and_tokens():
    offsets = np.array([[0, 1], [1, 2], [2, 4], [5, 6], [6, 8]])
    assert word_starts(["北京", "大学", " ", "书包"], offsets).tolist() == [True, False, True, True, False]


def test_empty_documents_are_skipped(tmp_path):
    tokenizer = make_tokenizer(tmp_path)
    documents = list(encode_documents([[" "], ["the text.", "\u200b"], []], tokenizer))
    assert len(documents) == 1 and len(documents[0].sentence_lengths) == 1


def test_special_ids(tmp_path, data):
    vocabulary = noise_vocabulary(make_tokenizer(tmp_path))
    assert (vocabulary.pad, vocabulary.begin, vocabulary.separator, vocabulary.end, vocabulary.mask) == (0, 2, 3, 3, 4)
    assert set(vocabulary.specials) == {0, 1, 2, 3, 4}
    t5 = noise_vocabulary(Tokenizer.from_sentencepiece(data("vocabs", "t5_base_spiece.model"), "t5"))
    assert t5.sentinels[:2] == (32099, 32098) and len(t5.sentinels) == 100 and t5.end == 1
    gpt2 = data("vocabs", "gpt2")
    gpt2 = noise_vocabulary(Tokenizer.from_bpe(gpt2 / "encoder.json", gpt2 / "vocab.bpe"))
    assert gpt2.end == 50256 and gpt2.mask == -1
