"""Makes tests/golden/spans/seqeval.json: the spans that seqeval finds in random tags, and its scores.

    pip install seqeval && python tests/golden/make_spans.py

Not run by the tests. seqeval knows no M: in BMES its answer is that for I in the place of M.
"""

import json
import random
from pathlib import Path

from seqeval.metrics import accuracy_score, classification_report
from seqeval.metrics.sequence_labeling import get_entities

SCHEMES = {"iob": "BI", "ioe": "IE", "iobes": "BIES", "bmes": "BMES", "bilou": "BILU"}
TYPES = ("PER", "LOC", "GPE.NAM", "人名", "B-X")
TO_SEQEVAL = {"M": "I", "L": "E", "U": "S"}


def random_tags(rng: random.Random, letters: str) -> list[str]:
    """Mostly of one type at a time, so that spans of several words are common."""
    kind, tags = rng.choice(TYPES), []
    for _ in range(rng.randint(0, 14)):
        if rng.random() < 0.3:
            kind = rng.choice(TYPES)
        tag = rng.choice(letters + "O")
        tags.append(tag if tag == "O" or rng.random() < 0.03 else f"{tag}-{kind}")
    return tags


def for_seqeval(tags: list[str]) -> list[str]:
    return [TO_SEQEVAL.get(tag[0], tag[0]) + tag[1:] for tag in tags]


def changed(rng: random.Random, tags: list[str], letters: str) -> list[str]:
    other = random_tags(rng, letters) * 20
    return [other[i] if i < len(other) and rng.random() < 0.25 else tag for i, tag in enumerate(tags)]


def main() -> None:
    rng, result = random.Random(5), {}
    for scheme, letters in SCHEMES.items():
        labels = [random_tags(rng, letters) for _ in range(60)]
        predictions = [changed(rng, tags, letters) for tags in labels]
        gold, guess = ([for_seqeval(tags) for tags in many] for many in (labels, predictions))
        report = classification_report(gold, guess, output_dict=True, zero_division=0)
        result[scheme] = {
            "labels": labels, "predictions": predictions, "accuracy": accuracy_score(gold, guess),
            "spans": [[(kind, begin, last + 1) for kind, begin, last in get_entities(tags)] for tags in gold],
            "report": {name: {key: float(value) for key, value in row.items()} for name, row in report.items()}}
    path = Path(__file__).parent / "spans" / "seqeval.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
