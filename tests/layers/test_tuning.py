"""What is chosen for a processor: by measured times, which are kept, or by variables of the environment."""

import logging

import pytest
import tensorflow as tf

import tfplm
from tfplm.core.machine.processor import Processor
from tfplm.layers import precision
from tfplm.layers.kernels import timing, tuning

SMALL = {"num_hidden_layers": 1, "vocab_size": 11}


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine without variables, whose times are set by `times`."""
    for name in ("TFPLM_DTYPE", "TFPLM_FLOAT32"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TFPLM_CACHE", str(tmp_path))
    monkeypatch.setattr(tuning, "has_gpu", lambda: False)
    processor_is(monkeypatch, "avx512_bf16")
    tuning.seconds.cache_clear()
    precision._warn_if_slow.cache_clear()
    yield
    tuning.seconds.cache_clear()
    precision._warn_if_slow.cache_clear()


def processor_is(monkeypatch, *features):
    this = Processor("test", "x86_64", frozenset(features), 2)
    for module in (tuning, precision):
        monkeypatch.setattr(module, "processor", lambda: this)


def times(monkeypatch, **kinds):
    """Sets the times; returns the list of the kinds that are measured."""
    measured = []

    def made(kind, found):
        return lambda: measured.append(kind) or found

    monkeypatch.setattr(tuning, "_KINDS", {kind: made(kind, found) for kind, found in kinds.items()})
    return measured


@pytest.mark.parametrize(("onednn", "xla", "library"), [(1.0, 1.0, "onednn"), (1.29, 1.0, "onednn"), (1.4, 1.0, "xla")])
def test_xla_multiplies_if_it_is_clearly_faster(monkeypatch, onednn, xla, library):
    measured = times(monkeypatch, products={"onednn": onednn, "xla": xla})
    assert tuning.float32_library() == library
    kernel, seen = tf.zeros((512, 512)), []
    tf.function(lambda: seen.append(tuning.prefers_xla(kernel)))()
    tf.function(lambda: seen.append(tuning.prefers_xla(kernel[:100])))()
    assert seen == [library == "xla", False] and measured == ["products"]
    assert "GFLOP/s" in tuning.reason_of_library()


def test_times_are_measured_once_on_a_machine(monkeypatch):
    measured = times(monkeypatch, products={"onednn": 2.0, "xla": 1.0})
    assert tuning.float32_library() == "xla"
    tuning.seconds.cache_clear()  # as in another process
    times(monkeypatch, products={"onednn": 1.0, "xla": 2.0})
    assert tuning.float32_library() == "xla" and measured == ["products"]
    tuning.forget()
    assert tuning.float32_library() == "onednn"
    processor_is(monkeypatch, "avx2")  # another machine with the same home
    tuning.seconds.cache_clear()
    assert times(monkeypatch, products={"onednn": 2.0, "xla": 1.0}) == [] and tuning.float32_library() == "xla"


@pytest.mark.parametrize(("ratio", "inference", "training"), [
    (0.5, "bfloat16", "mixed_bfloat16"), (0.95, "float32", "float32"), (2.0, "float32", "float32")])
def test_auto_is_bfloat16_where_it_pays(monkeypatch, ratio, inference, training):
    found = {"float32": 1.0, "bfloat16": ratio}
    measured = times(monkeypatch, forward=found, step=found)
    assert (precision.inference_dtype("auto"), precision.training_dtype("auto")) == (inference, training)
    assert measured == ["forward", "step"]
    assert f"{ratio:.2f} times as long" in precision.choice("forward").reason
    assert precision.inference_dtype(None) is None and precision.training_dtype("bfloat16") == "bfloat16"


def test_nothing_is_measured_without_the_units(monkeypatch):
    processor_is(monkeypatch, "avx2")
    measured = times(monkeypatch)
    assert precision.inference_dtype("auto") == precision.training_dtype("auto") == "float32" and measured == []
    assert precision.choice("step").reason == "this processor has no bfloat16 units"


@pytest.mark.parametrize("limit", ["AVX2", "AVX512_CORE_VNNI"])
def test_nothing_is_measured_where_onednn_would_abort(monkeypatch, caplog, limit):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    measured = times(monkeypatch)
    assert precision.inference_dtype("auto") == "float32"
    with caplog.at_level(logging.WARNING, "tfplm"):
        tfplm.from_config("bert-tiny", dtype="bfloat16", **SMALL)
    assert measured == [] and "ONEDNN_MAX_CPU_ISA forbids the bfloat16 units" in caplog.text
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX")
    assert tuning.limit() == ""


def test_unknown_features_are_measured(monkeypatch):
    processor_is(monkeypatch)
    assert times(monkeypatch, forward={"float32": 1.0, "bfloat16": 0.5}) == []
    assert precision.inference_dtype("auto") == "bfloat16"


@pytest.mark.parametrize(("value", "inference", "training"), [("float32", "float32", "float32"),
                                                              ("bfloat16", "bfloat16", "mixed_bfloat16")])
def test_a_variable_sets_auto(monkeypatch, value, inference, training):
    monkeypatch.setenv("TFPLM_DTYPE", value)
    measured = times(monkeypatch)
    assert (precision.inference_dtype("auto"), precision.training_dtype("auto")) == (inference, training)
    assert tfplm.from_config("bert-tiny", dtype="auto", **SMALL).compute_dtype == inference and measured == []


@pytest.mark.parametrize(("name", "call"), [("TFPLM_DTYPE", lambda: precision.inference_dtype("auto")),
                                            ("TFPLM_FLOAT32", tuning.float32_library)])
def test_a_misspelled_variable(monkeypatch, name, call):
    monkeypatch.setenv(name, "fast")
    with pytest.raises(ValueError, match=f"{name} is 'fast'; expected .*, or nothing, to measure the speeds"):
        call()


@pytest.mark.parametrize(("capability", "expected"), [((9, 0), "mixed_bfloat16"), ((7, 5), "float32"),
                                                      (None, "mixed_bfloat16")])
def test_gpus(monkeypatch, capability, expected):
    monkeypatch.setattr(tuning, "has_gpu", lambda: True)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU:0"])
    details = {} if capability is None else {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    assert precision.inference_dtype("auto") == precision.training_dtype("auto") == expected
    assert tuning.float32_library() == "onednn"


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16"])
def test_slow_bfloat16_is_said_once(monkeypatch, caplog, policy):
    found = {"float32": 1.0, "bfloat16": 1.9}
    times(monkeypatch, forward=found, step=found)
    with caplog.at_level(logging.WARNING, "tfplm"):
        for _ in range(2):
            assert tfplm.from_config("bert-tiny", dtype=policy, **SMALL).compute_dtype == "bfloat16"
    said = [record.getMessage() for record in caplog.records if "slow" in record.getMessage()]
    assert said == [f'dtype "{policy}" is slow on this processor (test): a layer takes 1.9 times as long as in float32; use '
                    '"auto" or "float32"']


def test_fast_bfloat16_and_float32_are_silent(monkeypatch, caplog):
    measured = times(monkeypatch, forward={"float32": 1.0, "bfloat16": 0.6})
    with caplog.at_level(logging.WARNING, "tfplm"):
        tfplm.from_config("bert-tiny", dtype="float32", **SMALL)
        assert measured == []
        tfplm.from_config("bert-tiny", dtype="bfloat16", **SMALL)
    assert measured == ["forward"] and caplog.records == []


@pytest.mark.parametrize("kind", ["products", pytest.param("forward", marks=pytest.mark.slow),
                                  pytest.param("step", marks=pytest.mark.slow)])
@pytest.mark.parametrize("graph", [False, True])
def test_pieces_of_work_are_timed(kind, graph):
    """Also where the choice is needed while a graph is built."""
    found = {}
    call = lambda: found.update(tuning.seconds(kind))  # noqa: E731
    with tf.GradientTape():
        tf.function(call)() if graph else call()
    assert set(found) == ({"onednn", "xla"} if kind == "products" else {"float32", "bfloat16"})
    assert all(0 < seconds < 60 for seconds in found.values())


def test_emulated_precision_is_timed_with_few_tokens(monkeypatch):
    """A product is slow, so the larger shape is made in no precision."""
    made = []

    def make(dtype, shape):
        made.append((dtype, shape))
        return lambda: tf.zeros(())

    monkeypatch.setattr(timing, "_seconds", lambda run: 1.0)
    assert timing._layers(make) == {"float32": 1.0, "bfloat16": 1.0}
    assert made == [("float32", timing._FEW), ("bfloat16", timing._FEW)]
    made.clear()
    monkeypatch.setattr(timing, "_seconds", lambda run: 0.001)
    timing._layers(make)
    assert made == [("float32", timing._SHAPE), ("bfloat16", timing._SHAPE)]
