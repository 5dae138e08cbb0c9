"""Model families: one short file for each, with everything specific to it; `registry` finds them without TensorFlow.

    MODEL_TYPE       the `model_type` of config.json
    CLASS            the stem of the class names in transformers: "Bert" of BertModel, BertForMaskedLM, ...
    CONFIG           fields of `Config` that differ from BERT-base
    PRESETS          name -> fields that differ from CONFIG
    NAMES            `Names`: names of our variables, and of theirs in Hugging Face's and Google's files
    KEYS             `Keys`: the keys of its config.json
    TOKENIZER        `TokenizerRules`
    optional:
    MORE_TOKENIZERS  additional rules for models with the same model type
    CLASSES          head -> suffix of its class name in transformers, if it is unusual
    TF1              `TF1Release`: file names and tensor names of Google's (or OpenAI's) TensorFlow 1 release
    true_type        (tensor names, directory) -> the model type of checkpoints with this MODEL_TYPE that have the
                     layout of another family, otherwise None

A file without CONFIG has only a tokenizer. A family imports shared parts from the files of other families.
"""
