"""Models of real size saved by transformers can be loaded, and the outputs agree (slow; needs torch, transformers)."""

import numpy as np
import pytest

import tfplm
from tests.models.golden import flat

pytestmark = pytest.mark.slow
CASES = [  # configuration class, model class, head, its output's name there
    ("BertConfig", "BertForPreTraining", "pretraining", ("prediction_logits", "seq_relationship_logits")),
    ("RobertaConfig", "RobertaForMaskedLM", "masked_lm", ("logits",)),
    ("AlbertConfig", "AlbertModel", None, ("last_hidden_state", "pooler_output")),
    ("ElectraConfig", "ElectraForPreTraining", "replaced_token_detection", ("logits",)),
    ("DistilBertConfig", "DistilBertModel", None, ("last_hidden_state",)),
    ("GPT2Config", "GPT2LMHeadModel", "causal_lm", ("logits",)),
    ("OpenAIGPTConfig", "OpenAIGPTModel", None, ("last_hidden_state",)),
    ("T5Config", "T5ForConditionalGeneration", "seq2seq_lm", ("logits",)),
    ("BartConfig", "BartForConditionalGeneration", "seq2seq_lm", ("logits",)),
]
BASE = {"AlbertConfig": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
        "BartConfig": {"d_model": 768, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 12,
                       "decoder_attention_heads": 12, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072},
        "ElectraConfig": {"hidden_size": 768, "embedding_size": 768, "num_attention_heads": 12,
                          "intermediate_size": 3072}}


@pytest.mark.parametrize(("config", "kind", "head", "outputs"), CASES, ids=[case[1] for case in CASES])
def test_agrees(config, kind, head, outputs, tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    reference = getattr(transformers, kind)(getattr(transformers, config)(**BASE.get(config, {}))).eval()
    reference.save_pretrained(tmp_path)
    rng = np.random.default_rng(0)
    ids = rng.integers(10, 10_000, (2, 64)).astype(np.int32)
    batch = {"input_ids": ids, "attention_mask": (np.arange(64) < [[64], [40]]).astype(np.int32)}
    if head == "seq2seq_lm":
        batch["decoder_input_ids"] = rng.integers(10, 10_000, (2, 16)).astype(np.int32)
    with torch.no_grad():
        result = reference(**{key: torch.tensor(value, dtype=torch.long) for key, value in batch.items()})
    ours = list(flat(tfplm.from_pretrained(tmp_path, head)(batch)).values())
    for name, array in zip(outputs, ours):
        expected = result[name].numpy()
        error = np.abs(expected - array)
        if error.shape[:2] == (2, 64):
            error = error[batch["attention_mask"] == 1]
        assert error.max() < 1e-4, name
