"""`tfplm info`: what is known of the machine, as JSON and for people."""

import json

import tensorflow as tf

import tfplm
from tfplm import cli
from tfplm.layers import precision
from tfplm.layers.kernels import tuning


def test_json(capsys):
    assert cli.main(["info", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["tfplm"] == tfplm.__version__ and row["packages"]["tensorflow"] == tf.__version__
    assert row["processor"]["cores"] >= 1 and row["processor"]["name"] and row["cache"] is None
    assert row["variables"]["TFPLM_DTYPE"] == "float32"
    assert row["choices"] == {"float32 products": {"chosen": "onednn", "because": "TFPLM_FLOAT32 is set"},
                              "dtype auto, inference": {"chosen": "float32", "because": "TFPLM_DTYPE is set"},
                              "dtype auto, training": {"chosen": "float32", "because": "TFPLM_DTYPE is set"}}


def test_measured_choices_for_people(terminal, monkeypatch, tmp_path, capsys):
    for name in ("TFPLM_DTYPE", "TFPLM_FLOAT32"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("TFPLM_CACHE", str(tmp_path))
    monkeypatch.setattr(precision.tuning, "has_gpu", lambda: False)
    monkeypatch.setattr(precision, "processor", lambda: tuning.processor.__wrapped__())
    count = []
    layer = {"float32": 1.0, "bfloat16": 0.5}
    found = {"products": {"onednn": 0.01, "xla": 0.005}, "forward": layer, "step": layer}
    monkeypatch.setattr(tuning, "_KINDS", {kind: lambda kind=kind: count.append(kind) or found[kind] for kind in found})
    monkeypatch.setattr("tfplm.core.machine.processor.Processor.has_bfloat16", True)
    tuning.seconds.cache_clear()
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    assert "121 GFLOP/s by oneDNN, 242 by XLA" in text and "0.50 times as long in bfloat16 as in float32" in text
    assert "dtype auto, training" in text and "mixed_bfloat16" in text and str(tmp_path) in text
    assert cli.main(["info"]) == 0 and sorted(count) == ["forward", "products", "step"]
    assert cli.main(["info", "--measure"]) == 0 and len(count) == 6
    tuning.seconds.cache_clear()
