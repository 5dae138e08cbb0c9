"""An encoder-decoder whose stacks both begin with an encoder's weights: BERT2BERT (Rothe et al. 2020, section 3)."""

import logging

from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained import from_config, from_pretrained, source_config
from tfplm.models.weights import named_variables

log = logging.getLogger("tfplm")


def warm_start(source, tokenizer, dtype=None, **changes) -> PretrainedModel:
    """A `Seq2Seq` with the head `seq2seq_lm`: the encoder's weights in both stacks, its embeddings in both, its masked
    LM head on top; cross-attention is fresh.

    Args:
        source: of an encoder (BERT, RoBERTa, ...). tokenizer: its tokenizer, for the ids that begin and end a text.
        changes: fields of `Config`.

    Raises ValueError for models that are no encoders, and for shared layers.
    """
    config = source_config(source)
    if config.architecture != "encoder" or config.share != "none":
        raise ValueError(f"{source} is a {config.architecture} with share={config.share!r}: an encoder-decoder can be "
                         "warm-started from an encoder whose layers share nothing, such as BERT")
    roles = {"decoder_start_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
    config = config.replace(architecture="seq2seq", pooler=False, **{**roles, **changes})
    model = from_config(config, "seq2seq_lm", dtype=dtype)
    values = named_variables(from_pretrained(source, "masked_lm", dtype=dtype))
    fresh = []
    for path, variable in named_variables(model).items():
        name = path.replace("decoder_embeddings/", "embeddings/")
        if name.startswith("decoder/"):
            name = "encoder/" + name.removeprefix("decoder/")
        if name in values and values[name].shape == variable.shape:
            variable.assign(values[name])
        else:
            fresh.append(path)
    log.warning("%s: freshly initialised: %s", model.name, ", ".join(fresh))
    return model
