"""`tfplm convert`: a checkpoint from one layout to another."""

import json
import os
import zipfile
from pathlib import Path

from tfplm.core.config import read_json
from tfplm.core.sources import config_file, layout_of, resolve
from tfplm.models.heads import HEADS
from tfplm.models.pretrained.api import from_pretrained, save_pretrained
from tfplm.options import verb
from tfplm.options.models import ConvertOptions
from tfplm.tokenizers import Tokenizer

# the end of a class name in a config's `architectures` -> head
_ARCHITECTURES = {
    "ForMaskedLM": "masked_lm", "WithLMHeadModel": "masked_lm", "ForPreTraining": "pretraining",
    "LMHeadModel": "causal_lm", "ForConditionalGeneration": "seq2seq_lm",
    "ForSequenceClassification": "sequence_classification", "ForTokenClassification": "token_classification",
    "ForQuestionAnswering": "question_answering", "ForMultipleChoice": "multiple_choice",
}


def saved_head(source: str | os.PathLike) -> str | None:
    """The head that a checkpoint was saved with, as far as its config says."""
    path = resolve(source)
    if layout_of(path) == "keras":
        file = path if path.suffix == ".keras" else next(path.glob("*.keras"))
        with zipfile.ZipFile(file) as archive:
            return json.loads(archive.read("config.json"))["config"].get("head")
    name = (read_json(config_file(path)).get("architectures") or [""])[0]
    if name.startswith("Electra") and name.endswith("ForPreTraining"):
        return "replaced_token_detection"
    if name.startswith("Bert") and name.endswith("LMHeadModel"):
        return "masked_lm"
    return next((head for ending, head in _ARCHITECTURES.items() if name.endswith(ending)), None)


@verb(ConvertOptions)
def convert(options: ConvertOptions) -> Path:
    """Reads a checkpoint and writes it in another layout; prints the audit's report. Returns the target's path.

    Raises:
        ValueError: the head is unknown, or the target's layout cannot name all of the model's weights.
    """
    head = saved_head(options.source) if options.head is None else None if options.head == "none" else options.head
    if head is not None and head not in HEADS:
        raise ValueError(f"there is no head '{head}'; heads are none, {', '.join(HEADS)}")
    model = from_pretrained(options.source, head, dtype=options.dtype)
    try:
        tokenizer = Tokenizer.from_pretrained(options.source)
    except FileNotFoundError as error:
        print(f"no tokenizer: {error}")
        tokenizer = None
    target = Path(options.target).expanduser()
    if options.format == "keras":
        file = target if target.suffix == ".keras" else target / "model.keras"
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"partial-{file.name}")
        model.save(beside)
        os.replace(beside, file)
        if tokenizer is not None and target.suffix != ".keras":
            tokenizer.save_pretrained(target)
    else:
        save_pretrained(model, target, tokenizer, format=options.format)
    if not options.quiet:
        print(f"{model.name}, head {model.head_name or 'none'}, {model.count_params():,d} parameters")
        print(getattr(model, "loading_report", ""))
        print(f"written to {target}")
    return target
