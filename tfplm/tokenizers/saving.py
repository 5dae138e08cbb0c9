"""Saving of a tokenizer in the files that Hugging Face, google-research/bert and this library read."""

import json
from pathlib import Path

from tfplm.core.files import replacing

_NO_LIMIT = int(1e30)  # Hugging Face's value for unlimited length


def _json(value) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def _config(tokenizer) -> dict:
    """The content of tokenizer_config.json."""
    roles = {f"{role}_token": token for role, token in tokenizer._roles.items()}
    settings = {key: value for key, value in tokenizer.settings.items() if value is not None}
    return {"tokenizer_class": tokenizer.rules.tokenizer_class, **roles, **settings,
            "padding_side": tokenizer.padding_side, "model_max_length": tokenizer.model_max_length or _NO_LIMIT}


def _special_map(tokenizer) -> dict:
    """The content of special_tokens_map.json."""
    roles = {f"{role}_token": token for role, token in tokenizer._roles.items()}
    extra = [token for token in tokenizer.all_special_tokens if token not in roles.values()]
    return {**roles, **({"additional_special_tokens": extra} if extra else {})}


def _vocabulary(tokenizer, model: dict) -> dict[str, bytes]:
    """The vocabulary in the format of the original implementation, older than tokenizer.json."""
    kind = tokenizer.rules.kind
    if kind == "wordpiece":  # one line for every id, including those of added tokens and unused ones
        tokens = {token_id: token for token, token_id in tokenizer.vocab.items()}
        lines = [tokens.get(token_id, f"[unused_{token_id}]") for token_id in range(len(tokenizer))]
        return {"vocab.txt": ("\n".join(lines) + "\n").encode()}
    added = {token: token_id for token, token_id in tokenizer.vocab.items()
             if token_id >= tokenizer._backend.get_vocab_size(with_added_tokens=False)}
    files = {"added_tokens.json": _json(added)} if added else {}
    if kind in ("bpe", "byte_bpe"):
        merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
        files["vocab.json"] = _json(model["vocab"])
        files["merges.txt"] = "\n".join(["#version: 0.2", *merges, ""]).encode()
    elif tokenizer.sentencepiece_model:
        files[tokenizer.rules.file_name] = tokenizer.sentencepiece_model
    return files


def save(tokenizer, path: Path) -> None:
    """Writes every file under a temporary name and then renames it, so that no reader gets a partial file."""
    path.mkdir(parents=True, exist_ok=True)
    text = tokenizer._backend.to_str()
    files = {"tokenizer.json": text.encode(), "tokenizer_config.json": _json(_config(tokenizer)),
             "special_tokens_map.json": _json(_special_map(tokenizer)),
             **_vocabulary(tokenizer, json.loads(text)["model"])}
    for name, content in files.items():
        with replacing(path / name) as temporary:
            temporary.write_bytes(content)
