"""`tfplm convert`: conversion of a checkpoint to another layout."""

import os
from pathlib import Path

from tfplm.core.files import naming_the_space, new_folder
from tfplm.core.outputs import writing_file, writing_folder
from tfplm.models.heads import HEADS
from tfplm.models.pretrained.api import from_pretrained, save_pretrained, untrained_pooler
from tfplm.models.pretrained.companions import copy_companions, model_folder
from tfplm.models.pretrained.source import Source, open_source
from tfplm.options import verb
from tfplm.options.models import ConvertOptions

# files of models and tokenizers
_OURS = ("*config.json", "*.safetensors*", "*.keras", "*.ckpt*", "vocab.*", "tokenizer*.json", "*.model",
         "modules.json", "[0-9]_*")


@verb(ConvertOptions)
def convert(options: ConvertOptions) -> Path:
    """Loads a checkpoint, saves it in another layout, and prints the report. Returns the path of the target.

    The modules of sentence-transformers and the settings of a task are copied, if the layout can express them.

    Raises ValueError if the head is unknown, or the layout has no names for some weights, FileExistsError if there is a
    model already, unless `overwrite`, or other files, and OSError, with the path and the needed bytes, if the disk is
    full.
    """
    target = Path(options.target).expanduser()
    if target.exists() and os.path.exists(options.source) and target.samefile(options.source):
        raise ValueError(f"{target} is both the source and the target; expected two places: use another target")
    with writing_file(target, options.overwrite) if target.suffix == ".keras" else \
            writing_folder(target, _OURS, options.overwrite):
        return _convert(options)


def _convert(options: ConvertOptions) -> Path:
    whole = open_source(options.source)
    folder = whole.path if whole.path.is_dir() else whole.path.parent
    inner = model_folder(folder) if whole.path.is_dir() else ""
    source = open_source(folder / inner) if inner else whole
    head = source.head if options.head is None else None if options.head == "none" else options.head
    if head is not None and head not in HEADS:
        raise ValueError(f"there is no head '{head}', expected one of none, {', '.join(HEADS)}")
    model = from_pretrained(source, head, dtype=options.dtype)
    target = Path(options.target).expanduser()
    with naming_the_space(target, 4 * model.count_params()):
        left = _write(options, model, source, target, inner)
        if target.suffix != ".keras":
            left += copy_companions(folder, target, options.format)
    if not options.quiet:
        print(f"{model.name}, head {model.head_name or 'none'}, {model.count_params():,d} parameters")
        print(getattr(model, "loading_report", ""))
        print(f"written to {target}")
    if left:
        print(f"not carried: {', '.join(left)}")
    return target


def _write(options: ConvertOptions, model, source: Source, target: Path, inner: str) -> list[str]:
    """Writes the model and its tokenizer; returns what is not carried."""
    left = ["pooler (the checkpoint has none)"] if untrained_pooler(model) and options.format != "keras" else []
    try:
        tokenizer = source.tokenizer()
    except FileNotFoundError as error:
        print(f"no tokenizer: {error}")
        tokenizer = None
    if options.format != "keras":
        save_pretrained(model, target / inner if options.format == "hf" else target, tokenizer, format=options.format)
        return left
    file = target if target.suffix == ".keras" else target / "model.keras"
    with new_folder(file.parent):
        temporary = file.with_name(f"partial-{file.name}")
        try:
            model.save(temporary)
            os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
    if tokenizer is not None and target.suffix != ".keras":
        tokenizer.save_pretrained(target)
    return left
