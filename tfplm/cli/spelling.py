"""Other spellings of flags, rewritten before parsing.

`--max_length`, `-max_length` (bert-as-service), `--do_train=true` (TensorFlow 1), `--model` for the flag or argument that
names the model, and positional arguments as flags.
"""

import dataclasses

from tfplm.cli.flags import flag_of, hints_of, is_switch, opposite

MODEL_FIELDS = ("source", "init", "model", "init_checkpoint", "tokenizer")  # the first one that a verb has
MODEL_NAMES = ("model", "model-name-or-path", "init", "source")  # the second one is Hugging Face's
ON, OFF = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def aliases(options_class: type) -> dict[str, str]:
    """Names without dashes at their start -> field: all names of fields, and other names of theirs."""
    fields = {field.name.replace("_", "-"): field.name for field in dataclasses.fields(options_class)}
    model = next((name for name in MODEL_FIELDS if name in fields.values()), None)
    others = dict.fromkeys(MODEL_NAMES, model) if model else {}
    if "output" in fields:
        others["output-dir"] = "output"
    return {**others, **{name.replace("_", "-"): field for name, field in options_class.ALIASES.items()}, **fields}


def rewritten(words: list[str], options_class: type) -> list[str]:
    """The words of a command line in the one spelling that the parser knows."""
    names, hints = aliases(options_class), hints_of(options_class)
    return [_rewritten(word, names, hints) for word in words]


def _rewritten(word: str, names: dict[str, str], hints: dict) -> str:
    start, equals, value = word.partition("=")
    name = start.lstrip("-").replace("_", "-")
    if not start.startswith("-") or (name not in names and not start.startswith("--")):
        return word
    field = names.get(name)
    if field is None:
        return f"--{name}{equals}{value}"
    flag = flag_of(field)
    if equals and is_switch(hints[field]) and value.lower() in ON + OFF:
        return flag if value.lower() in ON else opposite(flag)
    return f"{flag}{equals}{value}"


def is_flag(word: str) -> bool:
    """Returns True for a word that argparse takes for a flag: not for `-`, `-1.5` and `-a text`."""
    if not word.startswith("-") or word == "-" or " " in word:
        return False
    try:
        float(word)
    except ValueError:
        return True
    return False


def known_flags(options_class: type) -> list[str]:
    """All flags that can be typed, for suggestions."""
    return [f"--{name}" for name in (*aliases(options_class), "config", "debug", "help", "help-all")]
