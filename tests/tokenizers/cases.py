"""What the golden files of the tokenizers are made of: the same texts and directories for the reference and for us.

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
    "", " ", "\t\n  ", "Hello, world!", "  two  spaces \t and\na line  ", "今天天气很好,我们去公园吧。", "ABC公司2024年的iPhone15手机",
    "café naïve Ångström résumé", "e\u0301 decomposed and \u00e9 composed", "İstanbul'da ılık IŞIK ß ẞ", "emoji 😀 family 👩‍👩‍👧 flag 🇨🇳 heart ❤️",
    "control\x07chars\x00and\x7fmore\x1b", "zero\u200bwidth\u200djoin\ufeffbom\u00adsoft", "扩展B区𠀀𠀁和𪚥", "full-width ＡＢＣ１２３！？　空格",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f", "x" * 300, "supercalifragilisticexpialidocious " * 3, "3.14159, 1,234,567.89 and 2008, yes",
    "don't can't I'm we've 'quoted' \"double\" `back` ``tex''", "http://a.b/c?d=e&f=g#h user@host.org", "한국어와 日本語のテキスト и русский",
    "العربية עברית हिन्दी ไทย", "under_score-hyphen—dash…ellipsis", "½ ² Ⅷ ™ ﬁ ligature ㎏ ㊗", "UPPER lower MiXeD", "🂡∀x∈ℝ: ⌈x⌉ = −⌊−x⌋",
    "the quick brown fox jumps over the lazy dog", "龘靐齉 生僻字 囧", "“引号”与‘单引’、《书名》——破折号……", "\ufffd replacement", "1st 2nd 3rd", "C++ & C# <tag/> {json: [1, 2]}",
]

PAIRS = [("Is it raining?", "Yes, it is raining a lot today."), ("中文问题？", "这是一个很长的回答,里面有很多字。"), ("", "empty first"),
         ("empty second", ""), ("a b c d e f g h i j k l m n", "o p q r s t u v w x y z")]

# (strategy, max_length, stride) on the last pair
TRUNCATIONS = [("longest_first", 12, 0), ("longest_first", 17, 0), ("only_first", 20, 0), ("only_second", 20, 0),
               ("only_second", 24, 3)]


@dataclasses.dataclass
class Case:
    """A directory of tokenizer files, and what to encode with it."""

    files: dict[str, str]  # name in the directory -> path in the data sets, or below GOLDEN when it starts with "tiny"
    model_type: str
    reference: str  # class of transformers
    mask: str | None = None
    settings: dict = dataclasses.field(default_factory=dict)  # tokenizer_config.json
    corpora: tuple[str, ...] = ()
    reference_files: dict[str, str] = dataclasses.field(default_factory=dict)  # where the reference wants other names

    @property
    def texts(self) -> list[str]:
        """The hard strings, and two with the mask token in them."""
        # transformers 5 forgets ALBERT's rule for numbers with commas; test_sentencepiece.py has it
        hard = [text for text in HARD if self.model_type != "albert" or not re.search(r"\d,", text)]
        return hard + ([f"I {self.mask} you, {self.mask}.", f"我{self.mask}你 {self.mask}{self.mask}"] if self.mask else [])

    def build(self, path: Path, data, files: dict[str, str] | None = None) -> Path:
        """Lays the directory out; `data` is the fixture."""
        path.mkdir(parents=True, exist_ok=True)
        for name, source in (files or self.files).items():
            shutil.copyfile(GOLDEN / source if source.startswith("tiny") else data(*source.split("/")), path / name)
        (path / "config.json").write_text(json.dumps({"model_type": self.model_type}))
        if self.settings:
            (path / "tokenizer_config.json").write_text(json.dumps(self.settings))
        return path


_VOCAB = "vocabs/bert_base_{}_vocab.txt"
_CHINESE = ("zh_novels/xiyou_ji.txt", "thucnews/dev.txt", "afqmc/dev.txt")
_ENGLISH = ("wikitext2/valid.txt", "sst2/test.tsv", "tinyshakespeare/input.txt")
_MIXED = ("wikitext2/valid.txt", "thucnews/dev.txt", "tweeteval_emoji/val_text.txt")
_TINY_BPE = {"vocab.json": "tiny_byte_bpe/vocab.json", "merges.txt": "tiny_byte_bpe/merges.txt"}
_TINY_SPM = {"sentencepiece.bpe.model": "tiny_unigram.model"}

CASES = {
    "bert_chinese": Case({"vocab.txt": _VOCAB.format("chinese")}, "bert", "BertTokenizer", "[MASK]", corpora=(*_CHINESE, _ENGLISH[0])),
    "bert_uncased": Case({"vocab.txt": _VOCAB.format("uncased")}, "bert", "BertTokenizer", "[MASK]", corpora=(*_ENGLISH, _CHINESE[1])),
    "bert_cased": Case({"vocab.txt": _VOCAB.format("cased")}, "bert", "BertTokenizer", "[MASK]", {"do_lower_case": False}, _MIXED),
    "bert_accents": Case({"vocab.txt": _VOCAB.format("uncased")}, "bert", "BertTokenizer", "[MASK]",
                         {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}, _MIXED[:1]),
    "gpt2": Case({"encoder.json": "vocabs/gpt2/encoder.json", "vocab.bpe": "vocabs/gpt2/vocab.bpe"}, "gpt2", "GPT2Tokenizer",
                 corpora=(*_MIXED, _CHINESE[0]),
                 reference_files={"vocab.json": "vocabs/gpt2/encoder.json", "merges.txt": "vocabs/gpt2/vocab.bpe"}),
    "t5": Case({"spiece.model": "vocabs/t5_base_spiece.model"}, "t5", "T5Tokenizer", "<extra_id_0>", corpora=(*_MIXED, _CHINESE[0])),
    "xlm_roberta_real": Case({"sentencepiece.bpe.model": "vocabs/t5_base_spiece.model"}, "xlm-roberta", "XLMRobertaTokenizer",
                             "<mask>", corpora=_MIXED),
    "roberta": Case(_TINY_BPE, "roberta", "RobertaTokenizer", "<mask>", corpora=_MIXED[:1]),
    "roberta_prefix": Case(_TINY_BPE, "roberta", "RobertaTokenizer", "<mask>", {"add_prefix_space": True}),
    "bart": Case(_TINY_BPE, "bart", "BartTokenizer", "<mask>"),
    "openai_gpt": Case({"vocab.json": "tiny_bpe/vocab.json", "merges.txt": "tiny_bpe/merges.txt"}, "openai-gpt",
                       "OpenAIGPTTokenizer", corpora=_MIXED[:1]),
    "xlm_roberta": Case(_TINY_SPM, "xlm-roberta", "XLMRobertaTokenizer", "<mask>", corpora=_MIXED[:1]),
    "camembert": Case(_TINY_SPM, "camembert", "CamembertTokenizer", "<mask>"),
    "mbart": Case(_TINY_SPM, "mbart", "MBartTokenizer", "<mask>"),
    "albert": Case({"spiece.model": "tiny_albert.model"}, "albert", "AlbertTokenizer", "[MASK]", corpora=_MIXED[:1]),
}


def lines_of(path: Path, most: int = 2500) -> list[str]:
    """The first lines of a corpus, empty ones included."""
    return path.read_bytes().decode("utf-8").split("\n")[:most]


def digest(rows) -> str:
    """sha256 over the ids and the length of every row."""
    flat = [np.asarray(part, "<i4").tobytes() for row in rows for part in ([len(row)], row)]
    return hashlib.sha256(b"".join(flat)).hexdigest()
