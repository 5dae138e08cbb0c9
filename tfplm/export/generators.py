"""Language models that generate, as they are exported: logits, logits with a cache, and the whole of `generate`."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfplm.export.kinds import ExportedModel
from tfplm.models.model import PretrainedModel
from tfplm.models.portable.decoders.generation import portable_generation
from tfplm.models.portable.decoders.past import portables_with_past
from tfplm.models.pretrained.source import Source
from tfplm.options.export import ExportOptions
from tfplm.options.generate import GenerationOptions

HEADS = ("causal_lm", "seq2seq_lm")


class ExportedGenerator(ExportedModel):
    """A decoder or an encoder-decoder with the head of its language model."""

    def __init__(self, options: ExportOptions, model: PretrainedModel, source: Source):
        super().__init__(options.format, model, source, options.max_length)
        self.options = GenerationOptions(**{field.name: getattr(options, field.name)
                                            for field in dataclasses.fields(GenerationOptions)})
        also = portables_with_past(model)
        if options.format == "saved_model":
            also["generate"] = portable_generation(model, self.options)
        self.portable, self.inside = dataclasses.replace(self.portable, also=also), True

    def prompts(self, texts: Sequence[str], longest: int | None) -> dict[str, np.ndarray]:
        """`input_ids` and `attention_mask` of prompts, padded on the left."""
        rows = self.tokenizer(list(texts), add_special_tokens=self.model.is_seq2seq, padding=False, max_length=longest,
                              truncation="longest_first" if longest else False)["input_ids"]
        width = max(map(len, rows))
        ids = np.array([[0] * (width - len(row)) + list(row) for row in rows], np.int32)
        return {"input_ids": ids, "attention_mask": np.array([[0] * (width - len(row)) + [1] * len(row) for row in rows],
                                                             np.int32)}

    def generated(self, prompts: dict[str, np.ndarray], seed: int) -> np.ndarray:
        """The new tokens of each prompt, int32 `[B * num_return_sequences, new]`."""
        keywords = {field.name: getattr(self.options, field.name) for field in dataclasses.fields(GenerationOptions)}
        ids = self.model.generate(prompts, **{**keywords, "seed": seed})
        return ids[:, 1 if self.model.is_seq2seq else prompts["input_ids"].shape[1]:]
