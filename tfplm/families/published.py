"""Where the presets were published: their papers, and the repositories of their weights on the Hugging Face hub."""

# beginning of the names of presets -> paper; the longest beginning counts
PAPERS = {
    "albert": "Lan et al. 2019", "bart": "Lewis et al. 2019", "bert": "Devlin et al. 2019",
    **dict.fromkeys(("bert-tiny", "bert-mini", "bert-small", "bert-medium"), "Turc et al. 2019"),
    "bert-xlarge": "Lan et al. 2019", "bilstm": "Graves & Schmidhuber 2005", "camembert": "Martin et al. 2019",
    **dict.fromkeys(("chinese-bert", "chinese-roberta", "rbt"), "Cui et al. 2019"),
    **dict.fromkeys(("chinese-macbert", "chinese-electra"), "Cui et al. 2020"),
    "distilbert": "Sanh et al. 2019", "electra": "Clark et al. 2020", "ernie-1": "Sun et al. 2019",
    "ernie-2": "Sun et al. 2020", "ernie-3": "Sun et al. 2021", "gpt2": "Radford et al. 2019",
    "gpt3": "Brown et al. 2020", "mbart": "Liu et al. 2020", "minilm": "Wang et al. 2020",
    "modernbert": "Warner et al. 2024", "mt5": "Xue et al. 2020", "openai-gpt": "Radford et al. 2018",
    "roberta": "Liu et al. 2019", "spanbert": "Joshi et al. 2019", "t5": "Raffel et al. 2020", "t5-v1_1": "Shazeer 2020",
    "textcnn": "Kim 2014", "tinybert": "Jiao et al. 2019", "unilm": "Dong et al. 2019",
    "xlm-roberta": "Conneau et al. 2019",
}
# repository, in which {} is the name of the preset -> presets
REPOSITORIES = {
    "FacebookAI/{}": "roberta-base roberta-large xlm-roberta-base xlm-roberta-large",
    "SpanBERT/{}": "spanbert-base-cased spanbert-large-cased",
    "albert/{}": "albert-base-v2 albert-large-v2 albert-xlarge-v2 albert-xxlarge-v2",
    "almanach/{}": "camembert-base",
    "answerdotai/ModernBERT-base": "modernbert-base", "answerdotai/ModernBERT-large": "modernbert-large",
    "distilbert/{}": "distilbert-base-uncased distilbert-base-cased distilbert-base-multilingual-cased",
    "facebook/{}": "bart-base bart-large bart-large-cnn mbart-large-cc25",
    "google-bert/{}": "bert-base-uncased bert-base-cased bert-base-chinese bert-base-multilingual-cased "
                      "bert-large-uncased bert-large-cased",
    "google-t5/{}": "t5-small t5-base t5-large t5-3b t5-11b",
    "google/{}": "electra-small-discriminator electra-small-generator electra-base-discriminator electra-base-generator "
                 "electra-large-discriminator electra-large-generator mt5-small mt5-base mt5-large mt5-xl mt5-xxl "
                 "t5-v1_1-small t5-v1_1-base t5-v1_1-large t5-v1_1-xl t5-v1_1-xxl",
    "google/bert_uncased_L-2_H-128_A-2": "bert-tiny", "google/bert_uncased_L-4_H-256_A-4": "bert-mini",
    "google/bert_uncased_L-4_H-512_A-8": "bert-small", "google/bert_uncased_L-8_H-512_A-8": "bert-medium",
    "hfl/{}": "chinese-bert-wwm chinese-bert-wwm-ext chinese-roberta-wwm-ext chinese-roberta-wwm-ext-large "
              "chinese-macbert-base chinese-macbert-large rbt3 rbt4 rbt6 rbtl3 chinese-electra-180g-small-discriminator "
              "chinese-electra-180g-base-discriminator",
    "huawei-noah/TinyBERT_General_4L_312D": "tinybert-4l-312d",
    "huawei-noah/TinyBERT_General_6L_768D": "tinybert-6l-768d",
    "microsoft/{}": "unilm-base-cased unilm-large-cased", "microsoft/MiniLM-L12-H384-uncased": "minilm-l12-h384",
    "nghuyong/{}": "ernie-1.0-base-zh ernie-2.0-base-en ernie-2.0-large-en ernie-3.0-base-zh",
    "nreimers/MiniLM-L6-H384-uncased": "minilm-l6-h384",
    "openai-community/{}": "openai-gpt gpt2 gpt2-medium gpt2-large gpt2-xl",
    "voidful/albert_chinese_base": "albert-base-chinese", "voidful/albert_chinese_tiny": "albert-tiny-chinese",
}


def paper(preset: str) -> str:
    """Authors and year of the paper of a preset; "" if it is not known."""
    return PAPERS.get(max((start for start in PAPERS if preset.startswith(start)), key=len, default=""), "")


def repository(preset: str) -> str | None:
    """The repository of the weights of a preset on the Hugging Face hub; None if they were not published there."""
    return next((name.format(preset) for name, presets in REPOSITORIES.items() if preset in presets.split()), None)
