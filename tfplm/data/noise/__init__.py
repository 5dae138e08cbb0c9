"""Noise functions of the self-supervised objectives: `noise(batch, rng, vocabulary, ...) -> batch`, pure NumPy.

A batch is a dict of int32 arrays as returned by the packing: `input_ids [B,T]`, `attention_mask [B,T]` (1 = real,
padding on the right), `token_type_ids [B,T]`, and optionally `word_starts [B,T]` (1 = the token starts a word) and
`sentence_ids [B,T]` (the index of the sentence within the row). A noise function processes the whole batch at once, is
random only through the given `numpy.random.Generator`, and does not modify its input. Functions that also make the
targets of an objective drop `word_starts` and `sentence_ids` from their result.
"""

from tfplm.data.noise.denoising import delete_tokens, denoise, infill_text, permute_sentences, rotate_document
from tfplm.data.noise.language_model import predict_next
from tfplm.data.noise.masking import Masking, mask_tokens
from tfplm.data.noise.mass import mask_segment
from tfplm.data.noise.phrases import PhraseTable, join_phrases
from tfplm.data.noise.sentinels import corrupt_spans, raw_length, target_length
from tfplm.data.noise.tagging import WORD_TAGS, tag_words
from tfplm.data.noise.unilm import POLICIES, mix_policies
from tfplm.data.noise.vocabulary import NoiseVocabulary

__all__ = ["POLICIES", "WORD_TAGS", "Masking", "NoiseVocabulary", "PhraseTable", "corrupt_spans", "delete_tokens",
           "denoise", "infill_text", "join_phrases", "mask_segment", "mask_tokens", "mix_policies",
           "permute_sentences", "predict_next", "raw_length", "rotate_document", "tag_words", "target_length"]
