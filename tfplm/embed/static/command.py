"""`tfplm static`: an encoder becomes static embeddings."""

import dataclasses
import os
from pathlib import Path

from tfplm.core.files import size_text
from tfplm.core.outputs import writing_folder
from tfplm.core.terminal.results import Results
from tfplm.embed.static.distill import check, distill
from tfplm.options import verb
from tfplm.options.static import StaticOptions

_OURS = ("config.json", "*.safetensors", "tokenizer.json", "modules.json")
_WHERE = ("source", "target", "overwrite", "json", "quiet", "seed")


@verb(StaticOptions)
def static(options: StaticOptions) -> Path:
    """Distils the encoder, writes the folder, and shows its size. Returns the folder.

    Raises the errors of `distill`, and FileExistsError if the target was written before, unless `overwrite`.
    """
    check(options)
    target = Path(options.target).expanduser()
    if target.exists() and os.path.exists(options.source) and target.samefile(options.source):
        raise ValueError(f"{target} is both the source and the target; expected two places: use another target")
    settings = {name: value for name, value in dataclasses.asdict(options).items() if name not in _WHERE}
    with writing_folder(target, _OURS, options.overwrite):
        encoder = distill(options.source, **settings)
        encoder.save_pretrained(target)
    if not options.quiet:
        table = encoder.files.table
        with Results(options.json, as_text=_as_text) as results:
            results.show({"target": str(target), "tokens": table.tokens, "dimension": table.dimension,
                          "precision": options.precision, "bytes": table.vectors.nbytes})
    return target


def _as_text(row: dict) -> str:
    return (f"{row['target']}: {row['tokens']:,} tokens, vectors of {row['dimension']} components in {row['precision']}, "
            f"{size_text(row['bytes'])}")
