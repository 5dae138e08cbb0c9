"""`tfplm convert`: conversion of a checkpoint to another layout."""

import os
from pathlib import Path

from tfplm.core.outputs import writing_file, writing_folder
from tfplm.models.heads import HEADS
from tfplm.models.pretrained.api import from_pretrained, save_pretrained
from tfplm.models.pretrained.source import open_source
from tfplm.options import verb
from tfplm.options.models import ConvertOptions

# files of models and tokenizers
_OURS = ("*config.json", "*.safetensors*", "*.keras", "*.ckpt*", "vocab.*", "tokenizer*.json", "*.model")


@verb(ConvertOptions)
def convert(options: ConvertOptions) -> Path:
    """Loads a checkpoint, saves it in another layout, and prints the report. Returns the path of the target.

    Raises ValueError if the head is unknown, or the layout has no names for some weights. FileExistsError if
    there is a model already, unless `overwrite`, or other files.
    """
    target = Path(options.target).expanduser()
    if target.exists() and os.path.exists(options.source) and target.samefile(options.source):
        raise ValueError(f"{target} is both the source and the target; expected two places: use another target")
    with writing_file(target, options.overwrite) if target.suffix == ".keras" else \
            writing_folder(target, _OURS, options.overwrite):
        return _convert(options)


def _convert(options: ConvertOptions) -> Path:
    source = open_source(options.source)
    head = source.head if options.head is None else None if options.head == "none" else options.head
    if head is not None and head not in HEADS:
        raise ValueError(f"there is no head '{head}', expected one of none, {', '.join(HEADS)}")
    model = from_pretrained(source, head, dtype=options.dtype)
    try:
        tokenizer = source.tokenizer()
    except FileNotFoundError as error:
        print(f"no tokenizer: {error}")
        tokenizer = None
    target = Path(options.target).expanduser()
    if options.format == "keras":
        file = target if target.suffix == ".keras" else target / "model.keras"
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"partial-{file.name}")
        model.save(temporary)
        os.replace(temporary, file)
        if tokenizer is not None and target.suffix != ".keras":
            tokenizer.save_pretrained(target)
    else:
        save_pretrained(model, target, tokenizer, format=options.format)
    if not options.quiet:
        print(f"{model.name}, head {model.head_name or 'none'}, {model.count_params():,d} parameters")
        print(getattr(model, "loading_report", ""))
        print(f"written to {target}")
    return target
