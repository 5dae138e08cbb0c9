"""The `tfplm` command: `tfplm VERB ...` builds the verb's options from the command line and calls its function."""

import argparse
import dataclasses
import importlib
import importlib.metadata
import json
import os
import sys
import types
import typing

# verb -> ("module:OptionsClass", one line of help); modules are imported only when their verb is used
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("tfplm.options.demo:DemoOptions", "pre-train a small model in minutes and show what it learned"),
    "mnist": ("tfplm.options.mnist:MnistOptions", "handwritten digits with every TensorBoard summary"),
    "params": ("tfplm.options.models:ParamsOptions", "count the parameters of a model"),
    "presets": ("tfplm.options.models:PresetsOptions", "list the architectures known by name"),
    "convert": ("tfplm.options.models:ConvertOptions", "convert a checkpoint between Hugging Face, TF1 and Keras"),
    "tokenize": ("tfplm.options.tokenize:TokenizeOptions", "show the tokens and ids of a text"),
    "vocab": ("tfplm.options.vocab:VocabOptions", "learn a vocabulary from a corpus"),
    "records": ("tfplm.options.records:RecordsOptions", "tokenize a corpus into TFRecord shards"),
    "pretrain": ("tfplm.options.pretrain:PretrainOptions", "pre-train a model on raw text or on records"),
    "finetune": ("tfplm.options.finetune:FinetuneOptions", "train a model on labelled data: classes, tags, answers"),
    "evaluate": ("tfplm.options.finetune:EvaluateOptions", "score a fine-tuned model on labelled data"),
    "predict": ("tfplm.options.finetune:PredictOptions", "what a fine-tuned model says about texts"),
    "run-classifier": ("tfplm.options.run_classifier:RunClassifierOptions", "run_classifier.py of google-research/bert"),
    "multitask": ("tfplm.options.multitask:MultitaskOptions", "train one encoder on several tasks at once"),
    "encode": ("tfplm.options.encode:EncodeOptions", "texts of a file to vectors"),
    "similar": ("tfplm.options.similar:SimilarOptions", "how alike texts are; the nearest texts of a file"),
    "sts-eval": ("tfplm.options.sts_eval:StsEvalOptions", "Spearman of sentence vectors on pairs with scores"),
    "index": ("tfplm.options.search:IndexOptions", "make texts, or questions and answers, searchable by meaning"),
    "search": ("tfplm.options.search:SearchOptions", "find the texts nearest to a query"),
    "contrastive": ("tfplm.options.contrastive:ContrastiveOptions", "train sentence vectors: SimCSE, ranking, CoSENT"),
    "serve": ("tfplm.options.serve:ServeOptions", "serve vectors to bert-serving-client and over HTTP, classes, relevance"),
    "fill-mask": ("tfplm.options.fill_mask:FillMaskOptions", "fill the masks of a text"),
    "perplexity": ("tfplm.options.perplexity:PerplexityOptions", "perplexity of a language model on a text"),
    "generate": ("tfplm.options.generate:GenerateOptions", "continue a text, or translate or summarise it"),
}


def resolve(target: str):
    """`"package.module:name"` -> the object."""
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


def _without_none(annotation):
    """`int | None` -> int."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        (annotation,) = [a for a in typing.get_args(annotation) if a is not type(None)]
    return annotation


def _argument(annotation) -> dict:
    """The argparse keywords for a field of this type."""
    annotation = _without_none(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        choices = typing.get_args(annotation)
        return {"choices": choices, "type": type(choices[0])}
    if origin in (list, tuple):
        return {"nargs": "*", **_argument(typing.get_args(annotation)[0])}
    if annotation is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": annotation}


def add_flags(parser: argparse.ArgumentParser, options_class: type) -> None:
    """One flag per dataclass field: `max_length` -> `--max-length` (`--max_length` is accepted as well)."""
    hints = typing.get_type_hints(options_class)
    for field in dataclasses.fields(options_class):
        keywords = _argument(hints[field.name])
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
        # only the dashed spelling is shown: `--max_length` is rewritten before parsing
        names = ([field.metadata["short"]] if field.metadata.get("short") else []) + [dashed]
        parser.add_argument(*names, dest=field.name, help=text, required=False, default=argparse.SUPPRESS, **keywords)


def build_parser(verb: str) -> tuple[argparse.ArgumentParser, type]:
    target, summary = VERBS[verb]
    options_class = resolve(target)
    parser = argparse.ArgumentParser(prog=f"tfplm {verb}", description=options_class.__doc__ or summary,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_flags(parser, options_class)
    parser.add_argument("--config", metavar="FILE", help="JSON file of options; flags given here win over it")
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    return parser, options_class


def _read_config(path: str, options_class: type) -> dict:
    with open(path, encoding="utf-8") as file:
        values = json.load(file)
    known = {field.name for field in dataclasses.fields(options_class)}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{path}: unknown option(s) {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return values


def _spelled(argument: str, options_class: type) -> str:
    """`--do_train=true`, as the flags of TensorFlow 1 were written, -> `--do-train`."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument[2:].partition("=")
    name = name.replace("_", "-")
    hint = typing.get_type_hints(options_class).get(name.replace("-", "_"))
    if equals and value.lower() in ("true", "false") and hint is not None and _without_none(hint) is bool:
        return f"--{name}" if value.lower() == "true" else f"--no-{name}"
    return f"--{name}{equals}{value}"


def parse(verb: str, arguments: list[str]):
    """(options, debug) of a command line; exits with status 2 where it does not fit."""
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
    except ValueError as error:  # options that do not fit together
        parser.error(str(error))


def usage() -> str:
    lines = ["usage: tfplm VERB [flags]", "       tfplm VERB --help", "",
             "Pre-trained language models for TensorFlow 2 and Keras 3.", "", "verbs:"]
    return "\n".join(lines + [f"  {name:15s} {summary}" for name, (_, summary) in VERBS.items()])


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Exit status: 0, 1 (failed), 2 (usage), 130 (interrupted)."""
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
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors of TensorFlow's kernels, not what they tell of themselves
    try:
        resolve(options.RUN)(options)
        return 0
    except KeyboardInterrupt:
        print("\ntfplm: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `tfplm presets | head -1`
        sys.stderr.close()
        return 0
    except Exception as error:
        if debug:
            raise
        print(f"tfplm {arguments[0]}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
