"""word2vec beside gensim: words per second and WordSim-353 on the same text, with the same settings; loading of a text file.

    pip install -e '.[test]'
    python tests/benchmarks/words.py TEXT [--epochs 5] [--seeds 3]

TEXT: a file of words separated by blanks, such as WikiText-2's training file. Each training runs in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def train(system: str, text: str, architecture: str, epochs: int, seed: int, pairs: str) -> dict:
    """One training; words per second are those of the epochs alone, as gensim counts them."""
    if system == "gensim":
        from gensim.models import Word2Vec as Gensim
        from gensim.models.word2vec import LineSentence

        model = Gensim(vector_size=100, window=5, negative=5, min_count=5, sg=int(architecture == "skipgram"), workers=2,
                       seed=seed, epochs=epochs)
        start = time.monotonic()
        model.build_vocab(LineSentence(text))
        reading, start = time.monotonic() - start, time.monotonic()
        model.train(LineSentence(text), total_examples=model.corpus_count, epochs=epochs)
        seconds, total = time.monotonic() - start, model.corpus_total_words * epochs
        score = model.wv.evaluate_word_pairs(pairs)[1][0]
    else:
        from tfplm.data.words.word_ids import write_ids
        from tfplm.pretrain.words.word2vec import Settings, Word2Vec

        with tempfile.TemporaryDirectory() as folder, open(text, encoding="utf-8") as lines:
            start = time.monotonic()
            vocabulary = write_ids((line.split() for line in lines), Path(folder, "ids"), 5)
            settings = Settings(architecture == "skipgram", epochs=epochs, seed=seed, learning_rate=0.025)
            training = Word2Vec(vocabulary, settings)
            Word2Vec(vocabulary, settings)._step(0, np.array([0, 1, -1], np.int32), np.float32(0.01))  # compiles
            reading, start = time.monotonic() - start, time.monotonic()
            training.train(Path(folder, "ids"))
            seconds, total = time.monotonic() - start, int(vocabulary.counts.sum()) * epochs
            score = training.vectors.evaluate_word_pairs(pairs)[1][0]
    return {"system": system, "architecture": architecture, "seed": seed, "words_per_second": total / seconds,
            "seconds_to_read": reading, "spearman": 100 * score}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text")
    parser.add_argument("--pairs", default=None, help="WordSim-353: lines of two words and a number, separated by tabs")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs=3, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        system, architecture, seed = options.only
        print(json.dumps(train(system, options.text, architecture, options.epochs, int(seed), options.pairs)))
        return
    for architecture in ("skipgram", "cbow"):
        for seed in range(options.seeds):
            for system in ("tfplm", "gensim"):
                command = [sys.executable, __file__, options.text, "--epochs", str(options.epochs), "--pairs", options.pairs,
                           "--only", system, architecture, str(seed)]
                print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
