"""One short file per model family, with all that is specific to it. `registry` finds the files without TensorFlow.

    MODEL_TYPE       the `model_type` of config.json
    CLASS            the stem of the class names in transformers: "Bert" of BertModel, BertForMaskedLM, ...
    CONFIG           fields of `Config` that differ from BERT-base's
    PRESETS          name -> fields that differ from CONFIG
    NAMES            `Names`: our variables and theirs, in Hugging Face's and Google's files
    KEYS             `Keys`: the spelling of its config.json
    TOKENIZER        `TokenizerRules`
    optional:
    MORE_TOKENIZERS  further rules, of models with the same model type
    CLASSES          head -> the end of its class name in transformers, where it is unusual
    TF1              `TF1Release`: file names and tensor names of Google's (OpenAI's) TensorFlow 1 release
    true_type        (tensor names, directory) -> the model type of checkpoints with this MODEL_TYPE and the layout of
                     another family, else None

A file without CONFIG holds a tokenizer only. A family imports from another family's file what it shares with it.
"""
