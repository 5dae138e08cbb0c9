"""Makes tests/golden/tokenizers: ids, token types and offsets of the tokenizers of `transformers`.

    pip install -e '.[golden]' && python tests/golden/make_tokenizer_golden.py [CASE ...]

Not run by the tests. TFPLM_DATA is the folder of the data sets (default: ../shared/data beside the repository). The
tiny vocabularies are learned from the text below and are only made where they are missing.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import sentencepiece
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from tests.tokenizers.cases import CASES, GOLDEN, HARD, PAIRS, TRUNCATIONS, digest

TEXT = [*HARD[3:], "the rain in spain stays mainly in the plain", "she sells sea shells by the sea shore",
        "春眠不觉晓,处处闻啼鸟。", "床前明月光,疑是地上霜。", "an apple a day keeps the doctor away"] * 5


def data(*parts: str) -> Path:
    return Path(os.environ.get("TFPLM_DATA", ROOT.parent / "shared" / "data"), *parts)


def make_bpe(path: Path, tokenizer: Tokenizer, trainer) -> None:
    if not path.exists():
        path.mkdir(parents=True)
        tokenizer.train_from_iterator(TEXT, trainer)
        tokenizer.model.save(str(path))


def make_tiny() -> None:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    make_bpe(GOLDEN / "tiny_byte_bpe", tokenizer, trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    make_bpe(GOLDEN / "tiny_bpe", tokenizer, trainers.BpeTrainer(
        vocab_size=500, limit_alphabet=200, special_tokens=["<unk>"], end_of_word_suffix="</w>"))
    common = {"vocab_size": 450, "character_coverage": 0.98, "hard_vocab_limit": False, "minloglevel": 2,
              "normalization_rule_name": "identity"}
    layouts = {"tiny_unigram": {}, "tiny_albert": {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1,
                                                   "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]}}
    for name, layout in layouts.items():
        if not (GOLDEN / f"{name}.model").exists():
            with (GOLDEN / f"{name}.model").open("wb") as file:
                sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(TEXT), model_writer=file, **common,
                                                         **layout)
    if not (path := GOLDEN / "tiny_modernbert" / "tokenizer.json").exists():
        make_modernbert(path)


def make_modernbert(path: Path) -> None:
    """A tokenizer.json as ModernBERT's: runs of spaces and the special tokens are added behind the byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=400, show_progress=False,
                                                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens([AddedToken(" " * count, normalized=True) for count in (4, 3, 2)])
    tokenizer.add_special_tokens([AddedToken(name, lstrip=name == "[MASK]", normalized=False, special=True)
                                  for name in ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")])
    ids = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", ids)
    path.parent.mkdir(exist_ok=True)
    tokenizer.save(str(path), pretty=False)


def reference_of(name: str, path: Path):
    case = CASES[name]
    case.build(path, data, case.reference_files)
    flags = {}
    if case.mask == "<mask>":  # as in the published tokenizers: the space before the mask belongs to it
        flags["mask_token"] = AddedToken("<mask>", lstrip="merges.txt" in case.files, special=True, normalized=False)
    return getattr(transformers, case.reference).from_pretrained(str(path), **flags)


def make(name: str) -> dict:
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = reference_of(name, Path(folder))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token
    golden = {"transformers": transformers.__version__, "texts": [], "pairs": [], "truncations": [], "corpora": {}}
    for text in case.texts:
        found = tokenizer(text, return_offsets_mapping=True)
        golden["texts"].append({"text": text, "ids": found["input_ids"], "offsets": found["offset_mapping"]})
    for first, second in PAIRS:
        found = tokenizer([first], [second], return_token_type_ids=case.model_type in ("bert", "albert"))
        golden["pairs"].append({"ids": found["input_ids"][0], "types": found.get("token_type_ids", [None])[0]})
    for strategy, max_length, stride in TRUNCATIONS:
        try:
            found = tokenizer([PAIRS[-1][0]], [PAIRS[-1][1]], truncation=strategy, max_length=max_length,
                              stride=stride, return_overflowing_tokens=bool(stride))
        except Exception as error:  # the text that is to be cut is too short
            assert "too short" in str(error), error
            found = {"input_ids": None}
        golden["truncations"].append(found["input_ids"])
    for corpus in case.corpora:
        golden["corpora"][corpus] = digest(tokenizer(case.lines(data(*corpus.split("/"))))["input_ids"])
    return golden


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    make_tiny()
    for name in sys.argv[1:] or CASES:
        (GOLDEN / f"{name}.json").write_text(json.dumps(make(name), ensure_ascii=True) + "\n")
        print(name)
