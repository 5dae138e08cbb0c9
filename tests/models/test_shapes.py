"""Names and shapes computed from a configuration are those of the model that is built from it."""

import subprocess
import sys

import pytest

import tfplm
from tests.models import cases
from tfplm.models.heads import HEADS
from tfplm.models.pretrained.weights import named_variables
from tfplm.models.shapes import variable_shapes

CASES = [(name, head) for name in cases.CASES for head in [None, *cases.heads_of(name)]]
QUICK = {(name, head) for name, head in CASES if (head is None and name in cases.QUICK) or name == "head_transform"}


@pytest.mark.parametrize(("name", "head"), [
    case if case in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in CASES])
def test_equal_to_the_variables(name, head):
    model = tfplm.from_config(cases.CASES[name], head, num_labels=3 if head in ("token_classification",) else None)
    built = {path: tuple(variable.shape) for path, variable in named_variables(model).items()}
    assert variable_shapes(cases.CASES[name], head, model.num_labels) == built


def test_labels_and_a_crf():
    config = cases.CASES["bert"].replace(crf=True, id2label={0: "B", 1: "I", 2: "O"})
    shapes = variable_shapes(config, "token_classification")
    assert shapes["token_classifier/bias"] == shapes["crf/start"] == (3,)
    assert variable_shapes(config, "token_classification", 5)["crf/transitions"] == (5, 5)
    built = named_variables(tfplm.from_config(config, "token_classification"))
    assert shapes == {path: tuple(variable.shape) for path, variable in built.items()}


def test_every_head_is_known():
    for head in HEADS:
        assert variable_shapes(cases.CASES["bert"], head)
    with pytest.raises(ValueError, match="there is no head 'masked_ml'; did you mean 'masked_lm'"):
        variable_shapes(cases.CASES["bert"], "masked_ml")


def test_counting_and_listing_need_no_tensorflow():
    code = ("import sys, tfplm; from tfplm import cli; assert cli.main(['presets']) == 0; "
            "assert cli.main(['params', 't5-11b', '--by-layer']) == cli.main(['params', 'bert-base-chinese', '--head', "
            "'masked_lm']) == 0; assert not {'tensorflow', 'keras', 'tokenizers'} & set(sys.modules), 'slow'")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert '"parameters": 11307321344' in result.stdout
