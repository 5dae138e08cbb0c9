"""Recognition of the tokenizer files in a directory, and creation of the tokenizer."""

from pathlib import Path
from typing import Literal

from tokenizers import AddedToken, normalizers
from tokenizers import Tokenizer as Backend

from tfplm.core.tokenizer_rules import ROLES, Kind, TokenizerRules
from tfplm.families import registry
from tfplm.tokenizers import backends, files, sentencepiece_file
from tfplm.tokenizers.original.google import LONGEST_WORD, GoogleTokenizer

_BPE_PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
_SENTENCEPIECE = ("spiece.model", "sentencepiece.bpe.model", "spm.model", "sentencepiece.model", "tokenizer.model")
_EXPECTED = ("tokenizer.json, vocab.txt (WordPiece), vocab.json and merges.txt or encoder.json and vocab.bpe (BPE), "
             "or a SentencePiece model such as spiece.model")
_KINDS: dict[str, Literal["json", Kind]] = {".json": "json", ".txt": "wordpiece", ".model": "sentencepiece"}
# keys of tokenizer_config.json for the processing of text
_SETTINGS = ("do_lower_case", "strip_accents", "tokenize_chinese_chars", "keep_accents", "add_prefix_space",
             "extra_ids", "src_lang", "tgt_lang", "padding_side")


def read_json(path: Path) -> dict:
    """The object in a JSON file; {} if there is no file."""
    return files.read_json(path) if path.is_file() else {}


def read_config(path: Path) -> dict:
    """The configuration of the model with its `model_type`: config.json, or a TF1 config such as bert_config.json."""
    if config := read_json(path / "config.json"):
        return config
    for name, model_type in registry.tf1_configs().items():
        if found := sorted(path.glob(name.replace(".json", "*.json"))):
            return {"model_type": model_type, **read_json(found[0])}
    return {}


def _only(path: Path, pattern: str) -> Path | None:
    found = sorted(path.glob(pattern))
    return found[0] if len(found) == 1 else None


def find_files(path: Path) -> tuple[Literal["json", Kind], tuple[Path, ...]]:
    """("json" | "bpe" | "sentencepiece" | "wordpiece", its files).

    Raises FileNotFoundError if there is no tokenizer, with the files found and expected.
    """
    if (path / "tokenizer.json").is_file():
        return "json", (path / "tokenizer.json",)
    for vocab, merges in _BPE_PAIRS:
        if (path / vocab).is_file():
            if not (path / merges).is_file():
                raise FileNotFoundError(f"{path} has {vocab}, but no {merges}; expected both: fetch the missing file")
            return "bpe", (path / vocab, path / merges)
    model = next((path / name for name in _SENTENCEPIECE if (path / name).is_file()), None) or _only(path, "*.model")
    if model:
        return "sentencepiece", (model,)
    words = path / "vocab.txt" if (path / "vocab.txt").is_file() else _only(path, "*vocab*.txt")
    if words:
        return "wordpiece", (words,)
    found = ", ".join(sorted(entry.name for entry in path.iterdir())[:12]) or "nothing"
    raise FileNotFoundError(f"no tokenizer in {path}: expected {_EXPECTED}; found {found}")


def rules_or_default(model_type: str | None, kind: Kind) -> TokenizerRules:
    """The rules of a model type, or the default rules of a kind of tokenizer."""
    return registry.rules_for(model_type) if model_type else registry.default_rules(kind, "reading")


def guess_rules(kind: Kind, vocab, file_name: str = "") -> TokenizerRules:
    """The rules by the tokens, by the file name, or the default of the kind; used if there is no configuration."""
    tokens = set(vocab)
    found = [rules for rules in registry.all_rules() if rules.kind == kind and rules.signs and tokens >= set(rules.signs)]
    if found:
        return max(found, key=lambda rules: len(rules.signs))
    return registry.default_rules(kind, file_name, "reading")


def choose_rules(kind: Kind, vocab, config: dict, tokenizer_config: dict, file_name: str = "") -> TokenizerRules:
    """The rules by the `model_type` in config.json, by the `tokenizer_class`, or by the tokens.

    The model type does not count if the files belong to another family: `roberta` with a vocab.txt is BERT.
    """
    of_model = registry.find_rules(config.get("model_type"))
    of_class = registry.rules_of_class(tokenizer_config.get("tokenizer_class"))
    if of_class and of_class.class_decides:
        of_model = of_class
    for rules in (of_model, of_class):
        if rules and rules.kind == kind:
            return rules
    return guess_rules(kind, vocab, file_name)


def longest_text(rules: TokenizerRules, config: dict, tokenizer_config: dict) -> int | None:
    """Maximum number of tokens of a text; None if positions are relative, or the files have no limit."""
    limits = [tokenizer_config.get("model_max_length")]
    for key in ("max_position_embeddings", "n_positions", "n_ctx"):
        if isinstance(config.get(key), int):
            limits.append(config[key] - rules.reserved_positions)
    given = [int(limit) for limit in limits if limit and 0 < limit < 10**9]
    return min(given) if given and rules.positions else None


def _added(token, special: bool = True) -> AddedToken:
    """A token of one of the JSON files: a string, or an object with `content` and flags."""
    if isinstance(token, str):
        return AddedToken(token, special=special, normalized=False)
    if not isinstance(token, dict) or not isinstance(token.get("content"), str):
        raise ValueError(f"a special token is {token!r}, expected a string or an object with \"content\"; correct "
                         "special_tokens_map.json and tokenizer_config.json")
    flags = {key: token[key] for key in ("lstrip", "rstrip", "single_word", "normalized") if key in token}
    return AddedToken(token["content"], special=token.get("special", special), **flags)


def _named_tokens(special_map: dict, tokenizer_config: dict) -> dict[str, AddedToken]:
    """The special tokens of special_tokens_map.json and tokenizer_config.json: `{"mask_token": AddedToken}`."""
    values = {**tokenizer_config, **special_map}
    return {f"{role}_token": _added(values[f"{role}_token"]) for role in ROLES if values.get(f"{role}_token")}


def _added_ids(path: Path) -> dict[str, int]:
    return files.read_ids(path) if path.is_file() else {}


def _more_tokens(path: Path, special_map: dict, tokenizer_config: dict) -> list[tuple[int | None, AddedToken]]:
    """Tokens in addition to the vocabulary, with their ids if the files have them, in the order of the ids."""
    values = {**tokenizer_config, **special_map}
    extra = values.get("additional_special_tokens") or values.get("extra_special_tokens") or []
    extra = list(extra.values()) if isinstance(extra, dict) else extra
    special = {str(_added(token)) for token in extra}
    known = {token: (int(token_id), _added(token, token in special))
             for token, token_id in _added_ids(path / "added_tokens.json").items()}
    for token_id, token in (tokenizer_config.get("added_tokens_decoder") or {}).items():
        added = _added(token, special=False)
        known[added.content] = (int(token_id), added)
    rest = [(None, _added(token)) for token in extra if str(_added(token)) not in known]
    return [*sorted(known.values(), key=lambda pair: pair[0]), *rest]


def _from_json(cls, file: Path, config: dict, tokenizer_config: dict, named: dict):
    text = files.read_text(file)
    try:
        backend = Backend.from_str(text)
    except Exception as error:  # the Rust library raises plain Exception
        raise ValueError(f"{file} is not a tokenizer of the library `tokenizers`: {error}") from error
    if GoogleTokenizer.fits(backend) and getattr(backend.model, "max_input_chars_per_word", 0) == 100:
        backend.model.max_input_chars_per_word = LONGEST_WORD  # 100 is the default of the library, not BERT's limit
    kind = backends.kind_of(backend)
    vocab = backend.get_vocab()
    rules = choose_rules(kind, vocab, config, tokenizer_config)
    backend.add_special_tokens([token for token in named.values() if str(token) not in vocab])
    roles = {role: token for role, token in rules.tokens.items() if token in vocab}
    roles.update({key.removesuffix("_token"): str(token) for key, token in named.items()})
    settings = {key: tokenizer_config[key] for key in _SETTINGS if key in tokenizer_config}
    if isinstance(backend.normalizer, normalizers.BertNormalizer):
        for key, attribute in (("do_lower_case", "lowercase"), ("strip_accents", "strip_accents"),
                               ("tokenize_chinese_chars", "handle_chinese_chars")):
            if key in settings:  # if the two files differ, tokenizer_config.json counts
                setattr(backend.normalizer, attribute, settings[key])
            settings[key] = getattr(backend.normalizer, attribute)
    if kind == "byte_bpe" and "add_prefix_space" in settings and hasattr(backend.pre_tokenizer, "add_prefix_space"):
        backend.pre_tokenizer.add_prefix_space = settings["add_prefix_space"]
    tokenizer = cls(backend, rules.name, roles, settings)
    if "{lang}" in rules.single:
        tokenizer.set_language(settings.get("src_lang") or "en_XX")
    elif backend.post_processor is None and config.get("model_type") != "model2vec":  # whose texts have no special tokens
        backends.set_template(backend, rules, roles)
    return tokenizer


def _from_parts(cls, kind: Kind, files: tuple[Path, ...], config: dict, tokenizer_config: dict, named: dict):
    settings = {key: tokenizer_config[key] for key in _SETTINGS if tokenizer_config.get(key) is not None}
    if kind == "wordpiece":
        rules = choose_rules(kind, (), config, tokenizer_config)
        return cls.from_vocab(files[0], settings.get("do_lower_case"), settings.get("strip_accents"),
                              settings.get("tokenize_chinese_chars", True), model_type=rules.name, **named)
    if kind == "bpe":
        tokenizer = cls.from_bpe(*files, add_prefix_space=settings.get("add_prefix_space", False), **named)
        rules = choose_rules(tokenizer.rules.kind, tokenizer.vocab, config, tokenizer_config)
        return tokenizer if rules == tokenizer.rules else cls.from_bpe(
            *files, model_type=rules.name, add_prefix_space=settings.get("add_prefix_space", False), **named)
    pieces = {piece for piece, _, _ in sentencepiece_file.parse(files[0].read_bytes(), str(files[0])).pieces}
    rules = choose_rules(kind, pieces, config, tokenizer_config, files[0].name)
    if rules.without_extra_ids and settings.get("extra_ids") == 0:
        rules = registry.rules_for(rules.without_extra_ids)
    return cls.from_sentencepiece(files[0], rules.name, settings.get("do_lower_case"),
                                  settings.get("keep_accents", False), settings.get("src_lang", "en_XX"), **named)


def load(cls, path: Path):
    """Loads the tokenizer of class `cls` in the directory `path`, or in one file with the configuration next to it."""
    if not path.is_file():
        kind, files = find_files(path)
    elif path.suffix in _KINDS:
        kind, files, path = _KINDS[path.suffix], (path,), path.parent
    else:
        raise ValueError(f"{path} is not a tokenizer file; expected {_EXPECTED}")
    config = read_config(path)
    tokenizer_config, special_map = (read_json(path / name) for name in
                                     ("tokenizer_config.json", "special_tokens_map.json"))
    named = _named_tokens(special_map, tokenizer_config)
    if kind == "json":
        tokenizer = _from_json(cls, files[0], config, tokenizer_config, named)
    else:
        tokenizer = _from_parts(cls, kind, files, config, tokenizer_config, named)
    tokenizer.add_known_tokens(_more_tokens(path, special_map, tokenizer_config))
    tokenizer.model_max_length = longest_text(tokenizer.rules, config, tokenizer_config)
    tokenizer.padding_side = tokenizer_config.get("padding_side") or tokenizer.rules.padding_side
    if tokenizer.rules.file_name and (path / tokenizer.rules.file_name).is_file():
        tokenizer.sentencepiece_model = (path / tokenizer.rules.file_name).read_bytes()
    return tokenizer
