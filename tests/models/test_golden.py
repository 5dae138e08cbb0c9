"""Outputs equal those of the reference implementation within 1e-5: heads, hidden states, attentions."""

import numpy as np
import pytest

import tfplm
from tests.models import golden


def test_cases():
    assert len(golden.WITH_OUTPUTS) >= 76 and len(golden.CASES) >= 82
    present = {golden.head_of(name) for name in golden.WITH_OUTPUTS}
    assert present == {None, *golden.HEADS}


@pytest.mark.parametrize("name", golden.WITH_OUTPUTS)
def test_equals_reference(name):
    taps = {} if golden.head_of(name) else {"output_hidden_states": True, "output_attentions": True}
    outputs = golden.flat(golden.load(name)(golden.batch(name), **taps))
    expected = golden.reference(name)
    if set(expected) == {"masked_lm"}:
        outputs = {"masked_lm": outputs["logits"]}
    assert set(outputs) == set(expected)
    for key, array in expected.items():
        np.testing.assert_allclose(golden.real(name, key, outputs[key]), golden.real(name, key, array), rtol=0,
                                   atol=1e-5, err_msg=key)


def test_another_computation_is_refused():
    with pytest.raises(ValueError, match="scale_attn_by_inverse_layer_idx = True; only False is supported"):
        tfplm.from_pretrained(golden.FOLDER / "gpt2-scale_by_layer")
