"""`tfplm vocab`: a vocabulary learned from a corpus."""

import dataclasses
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from tfplm.core.outputs import writing_folder
from tfplm.data.text.corpus import read_documents
from tfplm.data.text.text_files import size_of
from tfplm.options.base import verb
from tfplm.options.vocab import VocabOptions
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.train import SAMPLE, VocabularySettings, train_vocabulary, unknown_share

_OURS = ("tokenizer*.json", "vocab.*", "*.model")  # files of a vocabulary


@dataclasses.dataclass
class Read:
    """Counts of the sentences and characters read so far, and the first sentences."""

    sentences: int = 0
    characters: int = 0
    sample: list[str] = dataclasses.field(default_factory=list)


def _sentences(documents: Iterable[list[str]], read: Read, progress: tqdm) -> Iterator[str]:
    for sentence in itertools.chain.from_iterable(documents):
        read.sentences += 1
        read.characters += len(sentence)
        if len(read.sample) < SAMPLE:
            read.sample.append(sentence)
        progress.update(len(sentence.encode("utf-8", "surrogatepass")) + 1)
        yield sentence


def _settings(options: VocabOptions) -> dict:
    names = {field.name for field in dataclasses.fields(VocabularySettings)}
    values = {name: value for name, value in vars(options).items() if name in names}
    return {**values, "special_tokens": tuple(options.special_tokens)}


@verb(VocabOptions)
def vocab(options: VocabOptions) -> Tokenizer:
    """Learns a vocabulary from a corpus, writes its files into `output`, and returns the tokenizer.

    The files are `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` for Hugging Face, and those
    of the original implementations: `vocab.txt` (for BERT's repository), `vocab.json` + `merges.txt`, or the
    SentencePiece model. A corpus that supports fewer than `vocab_size` tokens gives a smaller vocabulary and a warning;
    more than 1 % of unknown tokens give a warning with the size that would be enough.

    Raises FileNotFoundError for a wrong path, ValueError for a corpus that is empty or in another encoding, and
    FileExistsError for a folder with other files, or with a vocabulary, unless `overwrite`.
    """
    settings = _settings(options)
    VocabularySettings(**settings)  # reports a wrong flag before the corpus is read
    read = Read()
    documents = read_documents(options.text, options.text_layout, options.encoding, options.field)
    with writing_folder(options.output, _OURS, options.overwrite) as output:
        with tqdm(total=size_of(options.text), unit="B", unit_scale=True, desc="reading", file=sys.stderr,
                  disable=options.quiet or None) as progress:
            lines = itertools.chain(_sentences(documents, read, progress), _announced(options, progress))
            tokenizer = train_vocabulary(lines, **settings)
        tokenizer.save_pretrained(output)
    if not options.quiet:
        print(report(tokenizer, read, options))
    return tokenizer


def _announced(options: VocabOptions, progress: tqdm) -> Iterator[str]:
    """Yields no line, but reports that reading is done: learning prints nothing for a while."""
    progress.total = progress.n
    progress.set_description("read")
    progress.close()
    if not options.quiet:
        print(f"learning {options.vocab_size:,} tokens ...", file=sys.stderr, flush=True)
    yield from ()


def report(tokenizer: Tokenizer, read: Read, options: VocabOptions) -> str:
    """A summary of the vocabulary and its corpus, with statistics and an example from the first sentences."""
    rows = tokenizer(read.sample, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    tokens = sum(map(len, rows))
    example: Sequence[int] = next((row.tolist() for row in rows if len(row)), [])
    pieces = [tokenizer.decode([token]) if options.kind == "byte_bpe" else tokenizer.convert_ids_to_tokens(token)
              for token in example[:12]]
    files = sorted(path.name for path in Path(options.output).iterdir() if path.is_file())
    return "\n".join([
        f"{len(tokenizer):,} tokens ({options.kind}) from {read.sentences:,} sentences, {read.characters:,} characters",
        f"{sum(map(len, read.sample)) / max(tokens, 1):.2f} characters per token, "
        f"{unknown_share(tokenizer, read.sample):.2%} unknown",
        " | ".join(pieces) + (" | ..." if len(example) > 12 else ""),
        f"{options.output}: {', '.join(files)}"])
