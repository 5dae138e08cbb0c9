"""Losses and gradients of sentence-transformers on random vectors: `python tests/golden/make_contrastive.py`.

Writes `contrastive/golden.npz`: float32 `vectors` `[6,3,10]`, `labels` `[6]` with ties, and for each loss the value and
the gradient by the vectors that it uses. Not run by CI.
"""

from pathlib import Path

import numpy as np
import torch
from sentence_transformers.sentence_transformer import losses


def main() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 3, 10)).astype(np.float32)
    labels = np.array([0.2, 1.0, 0.2, 0.6, 0.0, 0.6], np.float32)
    model = torch.nn.Module()  # the losses only hand it on
    cases = {"pairs": (losses.MultipleNegativesRankingLoss(model), 2, None),
             "triples": (losses.MultipleNegativesRankingLoss(model), 3, None),
             "cosent": (losses.CoSENTLoss(model), 2, labels), "cosine": (losses.CosineSimilarityLoss(model), 2, labels)}
    frozen = {"vectors": vectors, "labels": labels}
    for name, (loss, count, scores) in cases.items():
        columns = [torch.tensor(vectors[:, place], requires_grad=True) for place in range(count)]
        value = loss.compute_loss_from_embeddings(columns, None if scores is None else torch.tensor(scores))
        value.backward()
        frozen[f"{name}/loss"] = value.detach().numpy()
        frozen[f"{name}/gradient"] = np.stack([column.grad.numpy() for column in columns], 1)
    np.savez_compressed(Path(__file__).parent / "contrastive" / "golden.npz", **frozen)
    print({name: float(value) for name, value in frozen.items() if name.endswith("loss")})


if __name__ == "__main__":
    main()
