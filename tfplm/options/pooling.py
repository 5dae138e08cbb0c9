"""The names and numbers of pooling strategies; `tfplm.embed.encoder.pooling` computes them."""

import enum

from tfplm.core.suggest import did_you_mean


class Pooling(enum.IntEnum):
    """How token vectors become one; names and numbers are bert-as-service's, above 100 those that it does not have.

    Masked means: over the real tokens, [CLS] and [SEP] among them. `REDUCE_MEAN` is the usual choice without further
    training, `FIRST_TOKEN` that of models trained with it (SimCSE, BGE), `LAST_TOKEN` that of decoders. Without a token
    that counts (an empty text with `mask_cls_sep`), means and maxima are 0.
    """

    NONE = 0  # all token vectors, [B,T,H], zero at padding
    REDUCE_MAX = 1  # masked maximum
    REDUCE_MEAN = 2  # masked mean
    REDUCE_MEAN_MAX = 3  # mean and maximum side by side, [B,2H]
    FIRST_TOKEN = 4
    CLS_TOKEN = 4
    LAST_TOKEN = 5
    SEP_TOKEN = 5
    CLS_POOLED = 6  # the pooler: dense + tanh over the first token of the last layer
    CLASSIFICATION = 7  # probabilities of the classes, [B,num_labels]
    REGRESSION = 8  # sigmoid of the one output, [B,1]
    MEAN_SQRT_LENGTH = 101  # masked sum / sqrt(number of tokens)
    WEIGHTED_MEAN = 102  # masked mean, token i weighted by i (SGPT, Muennighoff 2022)

    @classmethod
    def of(cls, value: "Pooling | str | int") -> "Pooling":
        """A strategy from its name in any case, its number, or what sentence-transformers calls it.

        ValueError that lists the names.
        """
        if isinstance(value, str):
            name = value.strip().upper().replace("-", "_")
            name = _OTHER_NAMES.get(name, name)
            if name in cls.__members__:
                return cls[name]
            raise ValueError(f"there is no pooling '{value}'{did_you_mean(name, cls.__members__)}; expected one of "
                             f"{', '.join(cls.__members__)}")
        try:
            return cls(value)
        except ValueError:
            raise ValueError(f"there is no pooling with number {value}; expected one of "
                             f"{', '.join(f'{p.value} ({p.name})' for p in cls)}") from None


_OTHER_NAMES = {"MEAN": "REDUCE_MEAN", "MAX": "REDUCE_MAX", "CLS": "FIRST_TOKEN", "FIRST": "FIRST_TOKEN",
                "LAST": "LAST_TOKEN", "LASTTOKEN": "LAST_TOKEN", "SEP": "LAST_TOKEN", "MEAN_MAX": "REDUCE_MEAN_MAX",
                "POOLER": "CLS_POOLED", "WEIGHTEDMEAN": "WEIGHTED_MEAN", "MEAN_SQRT_LEN_TOKENS": "MEAN_SQRT_LENGTH"}
# names on the command line of bert-as-service -> numbers in its protocol
BERT_SERVICE = {name: strategy.value for name, strategy in Pooling.__members__.items() if strategy < 100}
