"""How a table of cases is written."""

HEADS = {None: "Model", "masked_lm": "ForMaskedLM", "pretraining": "ForPreTraining", "causal_lm": "LMHeadModel",
         "seq2seq_lm": "ForConditionalGeneration", "replaced_token_detection": "ForPreTraining",
         "sequence_classification": "ForSequenceClassification", "token_classification": "ForTokenClassification",
         "question_answering": "ForQuestionAnswering", "multiple_choice": "ForMultipleChoice"}


def case(prefix: str, head: str | None, fields: dict, **extra) -> dict:
    """One case: the classes `{prefix}Config` and `{prefix}{suffix of the head}` of transformers, and config fields.

    extra: model (another class name), types / tasks (how many token types / tasks the batch has), decoder (whether it
    has decoder inputs), eos (rows end in it), permutation (XLNet's two-stream arguments), memory (length of
    XLNet's), untied (T5's output weights are its own), published_config (keys of config.json to write
    over; None removes one), scale (of the matrices, see `randomise`), salt (of the seed,
    where the plain one makes dull text).
    """
    labels = {"num_labels": 5} if head and head.endswith("classification") else {}
    return {"config": f"{prefix}Config", "model": prefix + HEADS[head], "head": head, "fields": fields | labels,
            "types": 0, "tasks": 0, "decoder": False, "eos": False, "permutation": False, "memory": 0,
            "untied": False, "published_config": None, "scale": 1.0,
            "salt": ""} | extra


def family(name: str, prefix: str, fields: dict, heads: list, **extra) -> dict[str, dict]:
    """Cases `NAME` (headless) and `NAME-HEAD`; cases with a head have one layer less, to stay small."""
    cases = {}
    for head in heads:
        depth = {key: value - 1 for key, value in fields.items() if head and key in DEPTHS}
        cases[f"{name}-{head}" if head else name] = case(prefix, head, fields | depth, **extra)
    return cases


DEPTHS = {"num_hidden_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers", "num_layers",
          "num_decoder_layers"}
