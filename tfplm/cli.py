"""The `tfplm` command: `tfplm VERB ...` parses the verb's options and calls its function."""

import argparse
import dataclasses
import importlib
import importlib.metadata
import json
import os
import sys
import typing

from tfplm.options.flags import argument, without_none

# verb -> ("module:OptionsClass", summary); a module is imported only when its verb is used
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("tfplm.options.demo:DemoOptions", "pre-train a small model in minutes and show what it learned"),
    "mnist": ("tfplm.options.mnist:MnistOptions", "learn handwritten digits, with every TensorBoard summary"),
    "params": ("tfplm.options.models:ParamsOptions", "count the parameters of a model"),
    "presets": ("tfplm.options.models:PresetsOptions", "list the architectures known by name"),
    "convert": ("tfplm.options.models:ConvertOptions", "convert a checkpoint between Hugging Face, TF1 and Keras"),
    "tokenize": ("tfplm.options.tokenize:TokenizeOptions", "show the tokens and ids of a text"),
    "vocab": ("tfplm.options.vocab:VocabOptions", "learn a vocabulary from a corpus"),
    "records": ("tfplm.options.records:RecordsOptions", "tokenize a corpus into TFRecord shards"),
    "pretrain": ("tfplm.options.pretrain:PretrainOptions", "pre-train a model on raw text or on records"),
    "finetune": ("tfplm.options.finetune:FinetuneOptions", "train a model on labelled data: classes, tags, answers"),
    "evaluate": ("tfplm.options.finetune:EvaluateOptions", "score a fine-tuned model on labelled data"),
    "predict": ("tfplm.options.finetune:PredictOptions", "predict labels, tags or texts with a fine-tuned model"),
    "run-classifier": ("tfplm.options.run_classifier:RunClassifierOptions", "run_classifier.py of google-research/bert"),
    "multitask": ("tfplm.options.multitask:MultitaskOptions", "train one encoder on several tasks at once"),
    "encode": ("tfplm.options.encode:EncodeOptions", "encode the texts of a file as vectors"),
    "similar": ("tfplm.options.similar:SimilarOptions", "compare texts, or find the nearest texts of a file"),
    "sts-eval": ("tfplm.options.sts_eval:StsEvalOptions", "correlate sentence vectors with the scores of pairs"),
    "index": ("tfplm.options.search:IndexOptions", "make texts, or questions and answers, searchable by meaning"),
    "search": ("tfplm.options.search:SearchOptions", "find the texts nearest to a query"),
    "contrastive": ("tfplm.options.contrastive:ContrastiveOptions", "train sentence vectors: SimCSE, ranking, CoSENT"),
    "serve": ("tfplm.options.serve:ServeOptions", "serve vectors to bert-serving-client and over HTTP, classes, relevance"),
    "fill-mask": ("tfplm.options.fill_mask:FillMaskOptions", "fill the masks of a text"),
    "perplexity": ("tfplm.options.perplexity:PerplexityOptions", "perplexity of a language model on a text"),
    "generate": ("tfplm.options.generate:GenerateOptions", "continue a text, or translate or summarise it"),
}


def resolve(target: str):
    """Imports the object named by `"package.module:name"`."""
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


def add_flags(parser: argparse.ArgumentParser, options_class: type) -> None:
    """Adds one flag per dataclass field: `max_length` becomes `--max-length` (`--max_length` is accepted as well)."""
    hints = typing.get_type_hints(options_class)
    for field in dataclasses.fields(options_class):
        keywords = argument(hints[field.name])
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        text = field.metadata.get("help", "").replace("%", "%%")
        if not required and field.default not in (None, dataclasses.MISSING) and keywords.get("action") is None:
            text += f" (default: {field.default})"
        if field.metadata.get("positional"):
            if not required:
                keywords.setdefault("nargs", "?")
            parser.add_argument(field.name, help=text, default=argparse.SUPPRESS, **keywords)
            continue
        dashed = "--" + field.name.replace("_", "-")
        # only the form with dashes is defined: `--max_length` is rewritten before parsing
        names = ([field.metadata["short"]] if field.metadata.get("short") else []) + [dashed]
        parser.add_argument(*names, dest=field.name, help=text, required=False, default=argparse.SUPPRESS, **keywords)


def build_parser(verb: str) -> tuple[argparse.ArgumentParser, type]:
    target, summary = VERBS[verb]
    options_class = resolve(target)
    parser = argparse.ArgumentParser(prog=f"tfplm {verb}", description=options_class.__doc__ or summary,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_flags(parser, options_class)
    parser.add_argument("--config", metavar="FILE", help="JSON file of options; flags take precedence")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser, options_class


def _read_config(path: str, options_class: type) -> dict:
    with open(path, encoding="utf-8") as file:
        values = json.load(file)
    known = {field.name for field in dataclasses.fields(options_class)}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{path}: unknown option(s) {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return values


def _spelled(argument: str, options_class: type) -> str:
    """Converts flags in the form of TensorFlow 1, such as `--do_train=true`, to `--do-train`."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument[2:].partition("=")
    name = name.replace("_", "-")
    hint = typing.get_type_hints(options_class).get(name.replace("-", "_"))
    if equals and value.lower() in ("true", "false") and hint is not None and without_none(hint) is bool:
        return f"--{name}" if value.lower() == "true" else f"--no-{name}"
    return f"--{name}{equals}{value}"


def parse(verb: str, arguments: list[str]):
    """Parses a command line to (options, debug); exits with status 2 if it is invalid."""
    parser, options_class = build_parser(verb)
    given = vars(parser.parse_args([_spelled(argument, options_class) for argument in arguments]))
    config, debug = given.pop("config"), given.pop("debug")
    try:
        values = {**(_read_config(config, options_class) if config else {}), **given}
    except (OSError, ValueError) as error:
        parser.error(str(error))
    missing = [field.name for field in dataclasses.fields(options_class) if field.name not in values
               and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING]
    if missing:
        parser.error("missing: " + ", ".join("--" + name.replace("_", "-") for name in missing))
    try:
        return options_class(**values), debug
    except ValueError as error:  # contradictory options
        parser.error(str(error))


def usage() -> str:
    lines = ["usage: tfplm VERB [flags]", "       tfplm VERB --help", "",
             "Pre-trained language models for TensorFlow 2 and Keras 3.", "", "verbs:"]
    return "\n".join(lines + [f"  {name:15s} {summary}" for name, (_, summary) in VERBS.items()])


def main(arguments: list[str] | None = None) -> int:
    """The entry point. Exit status: 0, 1 (failed), 2 (usage), 130 (interrupted)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        print(importlib.metadata.version("tfplm"))
        return 0
    if arguments[0] not in VERBS:
        print(f"tfplm: there is no verb '{arguments[0]}'\n\n{usage()}", file=sys.stderr)
        return 2
    options, debug = parse(arguments[0], arguments[1:])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hide TensorFlow's start-up messages
    try:
        resolve(options.RUN)(options)
        return 0
    except KeyboardInterrupt:
        print("\ntfplm: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output has gone, as in `tfplm presets | head -1`
        sys.stderr.close()
        return 0
    except Exception as error:
        if debug:
            raise
        print(f"tfplm {arguments[0]}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
