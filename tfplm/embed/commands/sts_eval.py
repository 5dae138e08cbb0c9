"""`tfplm sts-eval`: correlation of cosine similarities with human scores."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tfplm.core.outputs import writing_file
from tfplm.core.terminal.results import Results
from tfplm.data.correlation import correlation, ranks
from tfplm.data.tasks.examples import TextExample
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Reading
from tfplm.data.text.text_files import find_files, read_lines
from tfplm.embed.commands.encode_file import open_encoder
from tfplm.embed.encoder.pooling import Pooling, PoolingPlan
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.vectors import normalize_rows
from tfplm.embed.encoder.whitening import Moments, Whitening
from tfplm.options.base import verb
from tfplm.options.sts_eval import StsEvalOptions

_CHUNK = 8192
_TABLE = [Pooling.REDUCE_MEAN, Pooling.FIRST_TOKEN, Pooling.REDUCE_MAX, Pooling.CLS_POOLED]
_LAYERS = {"last": ((-1,), False), "last but one": ((-2,), False), "first-last": ((0, -1), True)}


@dataclasses.dataclass(frozen=True)
class StsResult:
    """spearman, pearson: x 100, over the `pairs` pairs of `data`, for vectors with this pooling, layers, whitening."""

    data: str
    pairs: int
    spearman: float
    pearson: float
    pooling: str
    layers: str
    whitening: str = "no"


def read_pairs(source: str, split: str | None = "dev", encoding: str = "utf-8") -> list[TextExample]:
    """Reads pairs with scores from a file or folder. Raises ValueError for a row without a second text or a score,
    and if all scores are equal."""
    examples = read_examples(source, "text", Reading(label_kind="number", encoding=encoding),
                             split if Path(source).expanduser().is_dir() else None)
    wrong = next((example for example in examples if example.pair is None or example.label is None), None)
    if wrong is not None:
        raise ValueError(f"{wrong.origin}: no {'second text' if wrong.pair is None else 'score'}: expected two texts and "
                         "a number in each row")
    if len({example.label for example in examples}) < 2:
        raise ValueError(f"{source}: all {len(examples):,} pairs have the score {examples[0].label:g}; expected different "
                         "scores, as their correlation is computed: use other pairs")
    return examples


def evaluate(encoder: SentenceEncoder, examples: list[TextExample], **keywords) -> tuple[float, float]:
    """Spearman's and Pearson's correlation x 100 of the cosines with the labels. keywords: as in `encode`."""
    return correlations(encoder.encode(texts_of(examples), **keywords), examples)


def correlations(vectors: np.ndarray, examples: list[TextExample]) -> tuple[float, float]:
    """The same from vectors `[2N,H]`, those of all first texts followed by those of all second texts."""
    vectors = normalize_rows(vectors.astype(np.float64))
    cosines = (vectors[:len(examples)] * vectors[len(examples):]).sum(1)
    scores = np.array([example.label for example in examples], np.float64)
    return 100 * correlation(ranks(cosines), ranks(scores)), 100 * correlation(cosines, scores)


def texts_of(examples: list[TextExample]) -> list[str]:
    """All first texts, then all second texts, in the order that `correlations` expects."""
    return [example.text for example in examples] + [example.pair for example in examples]


def moments_of(encoder: SentenceEncoder, texts: Iterable[str], **keywords) -> Moments:
    """Mean and covariance of the vectors of texts, computed chunk by chunk."""
    moments, texts = Moments(), iter(texts)
    while chunk := list(itertools.islice(texts, _CHUNK)):
        moments.update(encoder.encode(chunk, **keywords))
    return moments


@verb(StsEvalOptions)
def run(options: StsEvalOptions) -> list[StsResult]:
    """Shows and returns a result for each data set, or for each row of the table."""
    output = Results(options.json, options.output, overwrite=options.overwrite, as_text=_as_text)
    with contextlib.ExitStack() as stack:
        if options.save_whitening:
            stack.enter_context(writing_file(options.save_whitening, options.overwrite))
        return _run(options, output)


def _run(options: StsEvalOptions, output: Results) -> list[StsResult]:
    encoder = open_encoder(options)
    results = []
    with output:
        for source in options.data:
            examples = read_pairs(source, options.split, options.encoding)
            if output.for_people:
                print(f"{source}: {len(examples):,} pairs\n  {'pooling':28s} {'layers':14s} {'whitening':>10s} "
                      f"{'Spearman':>9s} {'Pearson':>9s}")
            for result in _evaluations(encoder, examples, source, options):
                output.show(dataclasses.asdict(result))
                results.append(result)
    return results


def _as_text(row: dict) -> str:
    return (f"  {row['pooling']:28s} {row['layers']:14s} {row['whitening']:>10s} {row['spearman']:9.2f} "
            f"{row['pearson']:9.2f}")


def _evaluations(encoder: SentenceEncoder, examples: list[TextExample], source: str, options: StsEvalOptions
                 ) -> Iterator[StsResult]:
    keywords = {"prompt": options.prompt, "show_progress": False if options.quiet else None, "normalize": False}
    for candidate, layers in _candidates(encoder) if options.table else [(encoder, _layers(encoder))]:
        pooling = "+".join(strategy.name for strategy in candidate.recipe.plan.strategies)
        vectors = candidate.encode(texts_of(examples), **keywords)
        result = StsResult(source, len(examples), *correlations(vectors, examples), pooling, layers,
                           "no" if candidate.whitening is None else "given")
        yield result
        moments = None
        for components in _components(candidate, options):
            moments = moments or _moments(candidate, vectors, options, keywords)
            whitening = Whitening.fit(moments, components)
            spearman, pearson = correlations(whitening.apply(vectors), examples)
            yield dataclasses.replace(result, spearman=spearman, pearson=pearson, whitening=str(whitening.dimension))
            if options.save_whitening:
                whitening.save(options.save_whitening)


def _moments(encoder: SentenceEncoder, vectors: np.ndarray, options: StsEvalOptions, keywords: dict) -> Moments:
    """Moments of the texts for whitening, or, without such texts, of the vectors of the data."""
    if not options.whiten_text:
        moments = Moments()
        moments.update(vectors)
        return moments
    return moments_of(encoder, (line for name in options.whiten_text for file in find_files(name)
                                for line in read_lines(file, options.encoding, longest=-1)), **keywords)


def _components(encoder: SentenceEncoder, options: StsEvalOptions) -> list[int | None]:
    """The sizes of whitened vectors to try; none without whitening."""
    if options.table:
        sizes = [None, options.components or 256]
        return sizes if sizes[1] < encoder.dimension else sizes[:1]
    if not (options.whiten or options.save_whitening):
        return []
    if encoder.whitening is not None:
        raise ValueError("--whitening reads a whitening, --whiten and --save-whitening fit one: choose one of them")
    return [options.components]


def _candidates(encoder: SentenceEncoder) -> Iterator[tuple[SentenceEncoder, str]]:
    """The same model with every pooling and every choice of layers of the table."""
    for strategy in _TABLE:
        if strategy is Pooling.CLS_POOLED and encoder.model.pooler is None:
            continue
        for name, (layers, averaged) in _LAYERS.items():
            if (strategy is Pooling.CLS_POOLED and name != "last") or encoder.config.num_hidden_layers < len(layers):
                continue
            recipe = dataclasses.replace(encoder.recipe, plan=PoolingPlan((strategy,), layers, averaged), dense=())
            yield encoder.with_recipe(recipe), name


def _layers(encoder: SentenceEncoder) -> str:
    plan = encoder.recipe.plan
    if plan.of_model:
        return "pooler"
    return ("mean of " if plan.average_layers else "") + " ".join(map(str, plan.layers))
