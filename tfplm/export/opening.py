"""The choice of what a source is exported as."""

from tfplm.adapt.finetune.result import has_task, open_task
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.export.generators import HEADS, ExportedGenerator
from tfplm.export.kinds import Exported, ExportedModel, ExportedVectors
from tfplm.models.heads import head_class
from tfplm.models.pretrained.api import from_pretrained
from tfplm.models.pretrained.companions import modules
from tfplm.models.pretrained.source import open_source
from tfplm.options.export import ExportOptions


def open_exported(options: ExportOptions) -> Exported:
    """The model of the options, as what it is to be exported.

    Sentence vectors, if there is a pooling or the folder is of sentence-transformers; otherwise the model with the head
    of the options, of its task, or of its checkpoint.
    """
    source = open_source(options.source)
    if options.pooling or (options.head is None and source.path.is_dir() and modules(source.path)):
        return ExportedVectors(options.format, SentenceEncoder.from_pretrained(
            source, options.pooling or None, options.layers or None, options.normalize, options.max_length, "float32"))
    head = options.head if options.head is not None else open_task(source).head if has_task(source) else source.head
    head = None if head == "none" else head
    head_class(head)  # raises an error for an unknown one
    model = from_pretrained(source, head, dtype="float32")
    if head in HEADS and (model.is_seq2seq or model.config.attention_type in ("causal", "prefix")):
        return ExportedGenerator(options, model, source)
    return ExportedModel(options.format, model, source, options.max_length)
