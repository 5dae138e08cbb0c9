"""One short file per model family, which says all of it. `registry` finds the files; nothing here imports TensorFlow.

    MODEL_TYPE       the `model_type` of config.json
    CLASS            the stem of the class names in transformers: "Bert" of BertModel, BertForMaskedLM, ...
    CONFIG           fields of `Config` that differ from BERT-base's
    PRESETS          name -> fields that differ from CONFIG
    NAMES            `Names`: our variables and theirs, in Hugging Face's and Google's files
    KEYS             `Keys`: the spelling of its config.json
    TOKENIZER        `TokenizerRules`
    and where there is something to say:
    MORE_TOKENIZERS  further rules, for models that call themselves the same
    CLASSES          head -> the end of its class name in transformers, where it is not the usual one
    TF1              `TF1Release`: how the files of Google's (OpenAI's) release are called and told
    true_type        (tensor names, directory) -> the model type of checkpoints that call themselves this family and are
                     another, or None

A file without CONFIG is a family of which only the tokenizer is there. What a family shares with another one is imported
from that one's file.
"""
