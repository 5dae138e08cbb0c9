"""The verbs: their options, and a summary of each."""

import importlib

# verb -> ("module:OptionsClass", summary); a module is imported only when its verb is used
VERBS: dict[str, tuple[str, str]] = {
    "demo": ("tfplm.options.demo:DemoOptions", "pre-train a small model in minutes and show what it learned"),
    "mnist": ("tfplm.options.mnist:MnistOptions", "learn handwritten digits, with every TensorBoard summary"),
    "params": ("tfplm.options.models:ParamsOptions", "count the parameters of a model"),
    "presets": ("tfplm.options.models:PresetsOptions", "list the architectures known by name"),
    "convert": ("tfplm.options.models:ConvertOptions", "convert a checkpoint between Hugging Face, TF1 and Keras"),
    "export": ("tfplm.options.export:ExportOptions", "write a model for ONNX Runtime, OpenVINO, TensorFlow or LiteRT"),
    "tokenize": ("tfplm.options.tokenize:TokenizeOptions", "show the tokens and ids of a text"),
    "vocab": ("tfplm.options.vocab:VocabOptions", "learn a vocabulary from a corpus"),
    "word2vec": ("tfplm.options.word2vec:Word2vecOptions", "train word vectors: skip-gram, CBOW"),
    "records": ("tfplm.options.records:RecordsOptions", "tokenize a corpus into TFRecord shards"),
    "pretrain": ("tfplm.options.pretrain:PretrainOptions", "pre-train a model on raw text or on records"),
    "finetune": ("tfplm.options.finetune:FinetuneOptions", "train a model on labelled data: classes, tags, answers"),
    "evaluate": ("tfplm.options.finetune:EvaluateOptions", "score a fine-tuned model on labelled data"),
    "predict": ("tfplm.options.finetune:PredictOptions", "predict labels, tags or texts with a fine-tuned model"),
    "run-classifier": ("tfplm.options.run_classifier:RunClassifierOptions",
                       "train with the flags of google-research/bert's run_classifier.py"),
    "multitask": ("tfplm.options.multitask:MultitaskOptions", "train one encoder on several tasks at once"),
    "encode": ("tfplm.options.encode:EncodeOptions", "encode the texts of a file as vectors"),
    "similar": ("tfplm.options.similar:SimilarOptions", "compare texts, or find the nearest texts of a file"),
    "sts-eval": ("tfplm.options.sts_eval:StsEvalOptions", "correlate sentence vectors with the scores of pairs"),
    "index": ("tfplm.options.search:IndexOptions", "make texts, or questions and answers, searchable by meaning"),
    "search": ("tfplm.options.search:SearchOptions", "find the texts nearest to a query"),
    "contrastive": ("tfplm.options.contrastive:ContrastiveOptions", "train sentence vectors: SimCSE, ranking, CoSENT"),
    "static": ("tfplm.options.static:StaticOptions", "distil an encoder into static embeddings, which are very fast"),
    "serve": ("tfplm.options.serve:ServeOptions", "serve vectors to bert-serving-client and over HTTP, classes, relevance"),
    "fill-mask": ("tfplm.options.fill_mask:FillMaskOptions", "fill the masks of a text"),
    "next-sentence": ("tfplm.options.next_sentence:NextSentenceOptions", "tell whether a text follows another"),
    "perplexity": ("tfplm.options.perplexity:PerplexityOptions", "measure the perplexity of texts under a language model"),
    "generate": ("tfplm.options.generate:GenerateOptions", "continue a text, or translate or summarise it"),
    "info": ("tfplm.options.info:InfoOptions", "show versions, devices, and what was chosen for this processor"),
    "completion": ("tfplm.options.completion:CompletionOptions", "print the lines that complete commands in a shell"),
}


def resolve(target: str):
    """Imports the object named by `"package.module:name"`."""
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


def usage() -> str:
    lines = ["usage: tfplm VERB [flags]", "       tfplm VERB --help", "",
             "Pre-trained language models for TensorFlow 2 and Keras 3.", "", "verbs:"]
    return "\n".join(lines + [f"  {name:15s} {summary}" for name, (_, summary) in VERBS.items()])
