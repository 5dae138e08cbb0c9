"""Text-to-text tasks with an encoder-decoder: translation, summarization."""

from collections.abc import Sequence

import keras
import numpy as np

from tfplm.adapt.finetune.inference import inference_batches
from tfplm.adapt.finetune.losses import CrossEntropy
from tfplm.adapt.tasks.task import Task, require_labels
from tfplm.data.batches.batching import collate
from tfplm.data.tasks.examples import TargetExample
from tfplm.training.metrics import BleuMetrics, RougeMetrics

_WORDS = {"zh": "zh", "ja": "char", "ko": "char", "th": "char"}  # sacrebleu tokenizers; 13a for Western languages
_BATCH_TOKENS = 4096


class Translation(Task):
    """Predicts a text from a text (Vaswani et al. 2017). A prediction has `text`, found by greedy or beam search."""

    name, kind, head, monitor, targets = "translation", "target", "seq2seq_lm", "bleu", ("target_ids",)
    shown = ("bleu", "length_ratio")

    def features(self, examples: Sequence[TargetExample], labelled: bool) -> list[dict]:
        if labelled:
            require_labels(examples, "target")
        sources = self.tokenizer([example.text for example in examples], max_length=self.settings.max_length,
                                 padding=False)["input_ids"]
        features = [{"input_ids": ids, "example": np.int32(index)} for index, ids in enumerate(sources)]
        if labelled:
            targets = self.tokenizer([example.target for example in examples], padding=False,
                                     max_length=self.settings.max_target_length)["input_ids"]
            for feature, ids in zip(features, targets):
                ids = self.without_start(ids)
                feature |= {"target_ids": ids, "decoder_input_ids": np.append(self.start, ids[:-1]).astype(np.int32),
                            "decoder_attention_mask": np.ones(len(ids), np.int32)}
        return features

    @property
    def start(self) -> int:
        """The id of the decoder's first token: the one that the family was trained with (BART: </s>, T5: <pad>), else
        that of the first token of a text."""
        tokenizer = self.tokenizer
        if role := tokenizer.rules.decoder_start:
            return getattr(tokenizer, f"{role}_token_id")
        first = tokenizer.cls_token_id if self._framed else tokenizer.pad_token_id
        return tokenizer.pad_token_id if first is None else first

    @property
    def _framed(self) -> bool:
        """True if texts are encoded as [CLS] ... [SEP], as in BERT and DistilBERT."""
        return self.tokenizer.eos_token_id is None

    def without_start(self, ids: np.ndarray) -> np.ndarray:
        """The target without the token that is the decoder's first input."""
        return ids[1:] if self._framed and len(ids) > 1 and ids[0] == self.start else ids

    @property
    def end(self) -> int:
        """The id of the token that ends a text."""
        return self.tokenizer.sep_token_id if self._framed else self.tokenizer.eos_token_id

    def split(self, batch: dict) -> tuple:
        y, mask = batch.pop("target_ids"), batch["decoder_attention_mask"]
        # Keras divides by the number of positions: the weights make it a mean over the real tokens of the whole batch
        return batch, y, (mask * (mask.size / max(mask.sum(), 1))).astype(np.float32)

    def config_changes(self) -> dict:
        return {"decoder_start_token_id": self.start, "eos_token_id": self.end, "forced_eos_token_id": None,
                "forced_bos_token_id": None}

    def loss(self, model: keras.Model):
        return CrossEntropy(self.settings.label_smoothing)

    def outputs(self, model, features, inference, progress=None) -> list:
        """Generated ids for each feature; texts of similar length are batched together."""
        result = [None] * len(features)
        for part, width in inference_batches(features, _BATCH_TOKENS // self.settings.num_beams, progress):
            batch = collate([{"input_ids": features[index]["input_ids"]} for index in part], width, self.pads)
            ids = np.asarray(model.generate(batch, max_new_tokens=self.settings.max_target_length,
                                            num_beams=self.settings.num_beams))
            for row, index in zip(ids, part):
                result[index] = row
        return result

    def decode(self, outputs, features, examples, model) -> list[dict]:
        return [{"text": text} for text in self.tokenizer.batch_decode(outputs, skip_special_tokens=True)]

    def score(self, predictions, examples) -> dict[str, float]:
        """Corpus `bleu` and its components, computed by sacrebleu, from 0 to 100."""
        require_labels(examples, "target")
        metric = BleuMetrics(_WORDS.get(self.settings.language, "13a"))
        metric.update([row["text"] for row in predictions], [example.target for example in examples])
        return metric.result()


class Summarization(Translation):
    """Predicts the summary of a text, scored by ROUGE."""

    name, monitor, shown = "summarization", "rouge_l", ("rouge_1", "rouge_2", "rouge_l")

    def score(self, predictions, examples) -> dict[str, float]:
        """ROUGE-1, -2 and -L, from 0 to 100."""
        require_labels(examples, "target")
        metric = RougeMetrics("characters" if self.settings.language in _WORDS else "words")
        metric.update([row["text"] for row in predictions], [example.target for example in examples])
        return metric.result()
