"""The texts and directories of the tokenizers' golden files, the same for the reference and for tfplm.

`tests/golden/make_tokenizer_golden.py` runs the reference (transformers) on them, `test_golden.py` runs tfplm.
"""

import dataclasses
import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parents[1] / "golden" / "tokenizers"

HARD = [
    "", " ", "\t\n  ", "Hello, world!", "  two  spaces \t and\na line  ", "今天天气很好,我们去公园吧。",
    "ABC公司2024年的iPhone15手机", "café naïve Ångström résumé", "e\u0301 decomposed and \u00e9 composed",
    "İstanbul'da ılık IŞIK ß ẞ", "emoji 😀 family 👩‍👩‍👧 flag 🇨🇳 heart ❤️", "control\x07chars\x00and\x7fmore\x1b",
    "zero\u200bwidth\u200djoin\ufeffbom\u00adsoft", "扩展B区𠀀𠀁和𪚥", "full-width ＡＢＣ１２３！？　空格",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f", "x" * 300, "supercalifragilisticexpialidocious " * 3,
    "3.14159, 1,234,567.89 and 2008, yes", "don't can't I'm we've 'quoted' \"double\" `back` ``tex''",
    "http://a.b/c?d=e&f=g#h user@host.org", "한국어와 日本語のテキスト и русский", "العربية עברית हिन्दी ไทย",
    "under_score-hyphen—dash…ellipsis", "½ ² Ⅷ ™ ﬁ ligature ㎏ ㊗", "UPPER lower MiXeD", "🂡∀x∈ℝ: ⌈x⌉ = −⌊−x⌋",
    "the quick brown fox jumps over the lazy dog", "龘靐齉 生僻字 囧", "“引号”与‘单引’、《书名》——破折号……",
    "\ufffd replacement", "1st 2nd 3rd", "C++ & C# <tag/> {json: [1, 2]}",
]

PAIRS = [("Is it raining?", "Yes, it is raining a lot today."), ("中文问题？", "这是一个很长的回答,里面有很多字。"),
         ("", "empty first"), ("empty second", ""), ("a b c d e f g h i j k l m n", "o p q r s t u v w x y z")]

# (strategy, max_length, stride) on the last pair
TRUNCATIONS = [("longest_first", 12, 0), ("longest_first", 17, 0), ("only_first", 20, 0), ("only_second", 20, 0),
               ("only_second", 24, 3)]


@dataclasses.dataclass
class Case:
    """A directory of tokenizer files, and the texts to encode with it."""

    files: dict[str, str]  # name in the directory -> path in the data sets, or below GOLDEN when it starts with "tiny"
    model_type: str
    reference: str  # class of transformers
    mask: str | None = None
    settings: dict = dataclasses.field(default_factory=dict)  # tokenizer_config.json
    corpora: tuple[str, ...] = ()
    reference_files: dict[str, str] = dataclasses.field(default_factory=dict)  # if the reference needs other names
    # beginnings of the texts of which transformers finds other pieces or places than the library sentencepiece, which is
    # then the reference (test_sentencepiece.py): white space, dropped characters, marks, pieces of equal scores
    approximate: tuple[str, ...] = ()

    @property
    def texts(self) -> list[str]:
        """The hard strings, and two that contain the mask token."""
        # transformers 5 lacks ALBERT's rule for numbers with commas; test_sentencepiece.py tests it
        hard = [text for text in HARD if self.model_type != "albert" or not re.search(r"\d,", text)]
        mask = self.mask
        return hard + ([f"I {mask} you, {mask}.", f"我{mask}你 {mask}{mask}"] if mask else [])

    def lines(self, path: Path) -> list[str]:
        """The lines of a corpus; for BERT without those with private-use characters, which transformers drops."""
        private = re.compile("[\ue000-\uf8ff]" if self.model_type == "bert" else "(?!)")
        return [line for line in lines_of(path) if not private.search(line)]

    def build(self, path: Path, data, files: dict[str, str] | None = None) -> Path:
        """Writes the directory; `data` is the fixture."""
        path.mkdir(parents=True, exist_ok=True)
        for name, source in (files or self.files).items():
            shutil.copyfile(GOLDEN / source if source.startswith("tiny") else data(*source.split("/")), path / name)
        (path / "config.json").write_text(json.dumps({"model_type": self.model_type}))
        if self.settings:
            (path / "tokenizer_config.json").write_text(json.dumps(self.settings))
        return path


def _bert(name: str, *corpora: str, **settings) -> Case:
    files = {"vocab.txt": f"vocabs/bert_base_{name}_vocab.txt"}
    return Case(files, "bert", "BertTokenizer", "[MASK]", settings, corpora)


def _with(files: dict[str, str], model_type: str, reference: str, *corpora: str, mask: str | None = "<mask>",
          approximate: tuple[str, ...] = (), **settings) -> Case:
    return Case(files, model_type, reference, mask, settings, corpora, approximate=approximate)


_CHINESE = ("zh_novels/xiyou_ji.txt", "thucnews/dev.txt", "afqmc/dev.txt")
_ENGLISH = ("wikitext2/valid.txt", "sst2/test.tsv", "tinyshakespeare/input.txt")
_MIXED = ("wikitext2/valid.txt", "thucnews/dev.txt", "tweeteval_emoji/val_text.txt")
_T5 = "vocabs/t5_base_spiece.model"
_TINY_BPE = {"vocab.json": "tiny_byte_bpe/vocab.json", "merges.txt": "tiny_byte_bpe/merges.txt"}
_TINY_GPT = {"vocab.json": "tiny_bpe/vocab.json", "merges.txt": "tiny_bpe/merges.txt"}
_TINY_UNIGRAM = {"sentencepiece.bpe.model": "tiny_unigram.model"}

_NMT = ("e\u0301 ", "emoji", "control", "zero", "a\u00a0b")
_PLAIN = ("\t\n  ", "  two", "full-width", "a\u00a0b", "xxx")

CASES = {
    "bert_chinese": _bert("chinese", *_CHINESE, _ENGLISH[0]),
    "bert_uncased": _bert("uncased", *_ENGLISH, _CHINESE[1]),
    "bert_cased": _bert("cased", *_MIXED, do_lower_case=False),
    "bert_accents": _bert("uncased", _MIXED[0], do_lower_case=True, strip_accents=False, tokenize_chinese_chars=False),
    "gpt2": Case({"encoder.json": "vocabs/gpt2/encoder.json", "vocab.bpe": "vocabs/gpt2/vocab.bpe"}, "gpt2",
                 "GPT2Tokenizer", corpora=(*_MIXED, _CHINESE[0]),
                 reference_files={"vocab.json": "vocabs/gpt2/encoder.json", "merges.txt": "vocabs/gpt2/vocab.bpe"}),
    "t5": _with({"spiece.model": _T5}, "t5", "T5Tokenizer", *_MIXED, _CHINESE[0], mask="<extra_id_0>", approximate=_NMT),
    "roberta": _with(_TINY_BPE, "roberta", "RobertaTokenizer", _MIXED[0]),
    "roberta_prefix": _with(_TINY_BPE, "roberta", "RobertaTokenizer", add_prefix_space=True),
    "bart": _with(_TINY_BPE, "bart", "BartTokenizer"),
    "openai_gpt": _with(_TINY_GPT, "openai-gpt", "OpenAIGPTTokenizer", _MIXED[0], mask=None),
    "xlm_roberta": _with(_TINY_UNIGRAM, "xlm-roberta", "XLMRobertaTokenizer", _MIXED[0], approximate=_PLAIN),
    "xlm_roberta_real": _with({"sentencepiece.bpe.model": _T5}, "xlm-roberta", "XLMRobertaTokenizer", *_MIXED,
                              approximate=_NMT),
    "camembert": _with(_TINY_UNIGRAM, "camembert", "CamembertTokenizer", approximate=_PLAIN),
    "mbart": _with(_TINY_UNIGRAM, "mbart", "MBartTokenizer", approximate=_PLAIN),
    "modernbert": _with({"tokenizer.json": "tiny_modernbert/tokenizer.json"}, "modernbert", "PreTrainedTokenizerFast",
                        mask="[MASK]",
                        **{f"{role}_token": f"[{role.upper()}]" for role in ("cls", "sep", "pad", "mask", "unk")},
                        tokenizer_class="PreTrainedTokenizerFast", model_max_length=8192),
    "albert": _with({"spiece.model": "tiny_albert.model"}, "albert", "AlbertTokenizer", _MIXED[0], mask="[MASK]",
                    approximate=("emoji", "xxx", "don't", "\u0627\u0644\u0639")),
}


def lines_of(path: Path, most: int = 2500) -> list[str]:
    """The first lines of a corpus, including empty ones."""
    return path.read_bytes().decode("utf-8").split("\n")[:most]


def digest(rows) -> str:
    """The sha256 of the ids and the length of every row."""
    flat = [np.asarray(part, "<i4").tobytes() for row in rows for part in ([len(row)], row)]
    return hashlib.sha256(b"".join(flat)).hexdigest()
