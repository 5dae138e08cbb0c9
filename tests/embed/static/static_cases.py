"""A tiny folder of static embeddings, in model2vec's layout, and model2vec's computation in NumPy."""

import json

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

WORDS = ["[PAD]", "[UNK]", "the", "cat", "sleeps", "on", "warm", "stone", "s", "##s", "dog", "run", "##ning", ".", ",", "我",
         "们", "去", "公", "园", "天", "气", "好", "3", "1", "4", "über", "uber"]
TEXTS = ["the cat sleeps on the warm stone.", "我们去公园。天气好", "", "Running dogs, dogs", "nothing known here",
         "THE   cat\t.", "天气好the cat好", "über uber", "3.14", "the cat " * 40, "x" * 300 + " the", "[UNK] the [PAD]",
         "the\u0301 cat\x1csleeps"]


def backend(words=None, **normalizer) -> Tokenizer:
    made = Tokenizer(models.WordPiece({word: index for index, word in enumerate(words or WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(**{"lowercase": True, **normalizer})
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(["[PAD]", "[UNK]"])
    return made


def vectors(rows: int = len(WORDS), size: int = 6, kind="float32") -> np.ndarray:
    made = np.random.default_rng(3).normal(size=(rows, size))
    return (made * 40).astype(kind) if kind == "int8" else made.astype(kind)


def write(folder, tensors: dict, tokenizer: Tokenizer | None = None, **config):
    """A folder as model2vec writes it."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    (tokenizer or backend()).save(str(folder / "tokenizer.json"))
    values = {"model_type": "model2vec", "architectures": ["StaticModel"], "normalize": True, "hidden_dim": 6, **config}
    (folder / "config.json").write_text(json.dumps(values))
    return folder


def reference(texts, tensors: dict, tokenizer: Tokenizer | None = None, normalize=True, max_length: int | None = 512):
    """What model2vec's `StaticModel.encode` computes, in float64."""
    tokenizer = tokenizer or backend()
    if max_length is not None:
        tokenizer.enable_truncation(max_length)
        letters = max_length * int(np.median([len(token) for token in tokenizer.get_vocab()]))
        texts = [text[:letters] for text in texts]
    rows, unknown = [], tokenizer.token_to_id("[UNK]")
    for text in texts:
        ids = [token for token in tokenizer.encode(text, add_special_tokens=False).ids if token != unknown]
        of_ids = np.array(ids, int) if "mapping" not in tensors else tensors["mapping"][np.array(ids, int)]
        found = tensors["embeddings"][of_ids].astype(float)
        if "weights" in tensors:
            found = found * tensors["weights"][np.array(ids, int)][:, None]
        rows.append(found.mean(0) if ids else np.zeros(found.shape[1]))
    result = np.array(rows)
    return result / (np.linalg.norm(result, axis=1, keepdims=True) + 1e-32) if normalize else result
