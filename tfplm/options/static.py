"""Options of `tfplm static`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Dtype, Options, flag


@dataclasses.dataclass(kw_only=True)
class StaticOptions(Options):
    """Distil an encoder into static embeddings, a vector for each token: tens of thousands of texts a second, in a
    fraction of the memory, with vectors that know no context.

    The recipe is model2vec's: each token of the vocabulary through the encoder, the principal components of these vectors,
    weights by frequency. The folder can be used as --init of encode, similar, sts-eval, index, search and serve, by
    model2vec, and by sentence-transformers.
    """

    RUN = "tfplm.embed.static.command:static"
    EXAMPLES = ("tfplm static all-MiniLM-L6-v2 static", "tfplm static bert-base-chinese static-zh --dimension 128")
    UNUSED = ("seed",)
    ALIASES = {"output": "target", "o": "target"}

    source: str = flag(help="folder of the encoder (also of sentence-transformers), or a name on the Hugging Face hub",
                       positional=True)
    target: str = flag(help="folder to write", positional=True)
    dimension: int | None = flag(None, "components of a vector (default: 256, or those of the encoder if it has fewer)")
    pca: bool = flag(True, "project on the principal components")
    sif: float = flag(1e-4, "coefficient of the weights by frequency, below 1; 0: no weights")
    pooling: Literal["mean", "cls", "last", "pooler"] = flag("mean", "pooling of [CLS] token [SEP] to the token's vector")
    remove: str = flag(r"\[unused\d+\]", "leave out the tokens whose start matches this regular expression")
    precision: Literal["float32", "float16", "int8"] = flag("float16", "numbers of the table")
    max_length: int = flag(512, "tokens of a text; 0: no limit")
    dtype: Dtype = flag("auto", "dtype of the encoder; auto: the faster one, see `tfplm info`")
    json: bool = flag(False, "print JSON at a terminal as well")
    overwrite: bool = flag(False, "write the target again, if it exists")
