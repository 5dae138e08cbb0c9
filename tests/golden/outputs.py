"""From the attribute names of `transformers` to the output names of tfplm."""

import numpy as np

HEADLESS = {"last_hidden_state": "sequence_output", "pooler_output": "pooled_output",
            "encoder_last_hidden_state": "encoder_output"}
TUPLES = {"hidden_states": "hidden_states", "attentions": "attentions", "decoder_hidden_states": "hidden_states",
          "decoder_attentions": "attentions", "encoder_hidden_states": "encoder_hidden_states",
          "encoder_attentions": "encoder_attentions", "cross_attentions": "cross_attentions"}
HEADS = {"masked_lm": {"logits": "masked_lm"},
         "pretraining": {"prediction_logits": "masked_lm", "seq_relationship_logits": "next_sentence",
                         "sop_logits": "next_sentence"},
         "question_answering": {"start_logits": "start", "end_logits": "end"}}


def named_outputs(result, head: str | None) -> dict[str, np.ndarray]:
    """float32 arrays by tfplm name; the members of a tuple are `name/0`, `name/1`, ..."""
    table = HEADLESS if head is None else HEADS.get(head, {"logits": "logits"})
    found = {new: result[old].numpy() for old, new in table.items() if result.get(old) is not None}
    assert found, f"{head}: none of {list(table)} among {list(result.keys())}"
    if head is None:
        for old, new in TUPLES.items():
            found |= {f"{new}/{i}": t.numpy() for i, t in enumerate(result.get(old) or ())}
    return {key: np.ascontiguousarray(value, dtype=np.float32) for key, value in found.items()}
