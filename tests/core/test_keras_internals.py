"""Private names of Keras and TensorFlow: all used in one file, and all present in the installed versions."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.core import keras_internals

PACKAGE = Path(__file__).parents[2] / "tfplm"
FILE = Path(keras_internals.__file__)

# the lowest that setup.py allows (see .ci/lowest), and the newest
TRIED = {"keras": ("3.12.4", "3.15.1"), "tensorflow": ("2.20.0", "2.21.0")}

LAYER = ("_flatten_layers", "_trainable_variables", "_non_trainable_variables", "_trainable", "_build_shapes_dict")
MODEL = ("_symbolic_build", "_maybe_symbolic_build", "_initial_epoch")
VARIABLE = ("_path",)
OBJECT = ("_trackable_children",)
ITERATOR = ("_distributed_dataset", "_enumerate_iterator")
OPTIMIZER = ("_iterations", "_trainable_variables", "_get_variable_index", "_accumulated_gradients", "_momentums",
             "_velocities", "_use_weight_decay", "_update_model_variables_moving_average",
             "_overwrite_model_variables_with_average_value", "_distribution_strategy", "_backend_apply_gradients",
             "_get_current_learning_rate", "_learning_rate", "_clip_gradients", "_all_reduce_sum_gradients")
SPEC = ("_value_specs",)
NAMES = {*LAYER, *MODEL, *VARIABLE, *OBJECT, *ITERATOR, *OPTIMIZER, *SPEC}

# documented, whatever their underscore says
PUBLIC = {"_replace", "_exit", "_format_args"}  # the last one is what subclasses of argparse's formatters call
PRIVATE_MODULES = ("tensorflow.python", "tensorflow.compiler", "tensorflow.core", "keras.src")


class Stopped(Exception):
    pass


class Look(keras.callbacks.Callback):
    """Keeps what `fit` holds, and ends it before its first step."""

    def on_train_begin(self, logs=None):
        self.found = {name: keras_internals.local_of_fit(name)
                      for name in ("epoch_iterator", "callbacks", "initial_epoch")}
        raise Stopped


@pytest.fixture(scope="module")
def model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.AdamW(use_ema=True, gradient_accumulation_steps=2), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def in_fit(model):
    look = Look()
    with pytest.raises(Stopped):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=2, verbose=0, callbacks=[look])
    return look.found


def check(owner, names):
    missing = [name for name in names if not hasattr(owner, name)]
    tried = ", ".join(f"{library} {' and '.join(versions)}" for library, versions in TRIED.items())
    assert not missing, (f"{type(owner).__name__} has no {', '.join(missing)} in Keras {keras.__version__} with TensorFlow "
                         f"{tf.__version__}; found in {tried}. Find its successor for tfplm/core/keras_internals.py")


def test_layers_have_the_names(model):
    check(model.layers[0], LAYER)
    check(model, LAYER + MODEL)
    check(model.layers[0].kernel, VARIABLE)
    check(model, OBJECT)


def test_optimizers_have_the_names(model):
    check(model.optimizer, OPTIMIZER)


def test_the_iterator_of_fit_has_the_names(in_fit):
    check(in_fit["epoch_iterator"],
          (*ITERATOR, "data_adapter", "steps_per_epoch", "num_batches", "catch_stop_iteration"))
    assert (in_fit["initial_epoch"], in_fit["epoch_iterator"].num_batches) == (0, 2)
    assert any(isinstance(callback, Look) for callback in in_fit["callbacks"].callbacks)


def test_a_dataset_that_every_epoch_reads_again_is_recognised(model):
    look, data = Look(), tf.data.Dataset.from_tensors((tf.ones((4, 2)), tf.ones((4, 1))))
    with pytest.raises(Stopped):
        model.fit(data, verbose=0, callbacks=[look])
    assert keras_internals.reads_same_dataset(look.found["epoch_iterator"])
    with pytest.raises(Stopped):
        model.fit(data.repeat(), steps_per_epoch=3, verbose=0, callbacks=[look])
    assert not keras_internals.reads_same_dataset(look.found["epoch_iterator"])


def test_outside_of_fit_there_is_no_local():
    with pytest.raises(RuntimeError, match=r"works within Keras' Model\.fit.*another loop.*CheckpointManager"):
        keras_internals.local_of_fit("epoch_iterator")


def test_parts_of_a_distributed_batch():
    from tensorflow.python.distribute.values import PerReplicaSpec  # of `element_spec` with two replicas

    part = tf.TensorSpec((None, 3))
    check(PerReplicaSpec(part, part), SPEC)
    assert keras_internals.replica_spec(PerReplicaSpec(part, part)) == keras_internals.replica_spec(part) == part


def test_calls_of_tensorflow_itself(model):
    (tensor,) = keras_internals.optimization_barrier([tf.constant([1.0, 2.0])])
    assert tensor.numpy().tolist() == [1, 2]
    seen = []
    keras_internals.merge_call(model.optimizer, lambda *arguments: seen.append(arguments), 7)
    assert seen == [(tf.distribute.get_strategy(), 7)]


def test_variables_become_constants():
    variable = tf.Variable([1.0, 2.0])
    function = tf.function(lambda x: x * variable).get_concrete_function(tf.TensorSpec([2]))
    frozen = keras_internals.with_constants(function)
    variable.assign([5.0, 5.0])
    assert frozen(tf.constant([3.0, 4.0]))[0].numpy().tolist() == [3, 8] and not frozen.graph.variables


def test_shadowed_methods_are_restored(model):
    layer = model.layers[0]
    keras_internals.shadow(layer, "call", lambda x: x)
    assert layer.call(5) == 5
    keras_internals.unshadow(layer, "call")
    assert layer.call == type(layer).call.__get__(layer)


class Names:
    """Of a file, name -> line: functions and classes, attributes and methods that it sets or uses, strings, imports."""

    def __init__(self, source: str):
        self.defined, self.set, self.attributes, self.strings, self.imports = {}, {}, {}, {}, {}
        for node in ast.walk(ast.parse(source)):
            kind = type(node)
            if kind is ast.Attribute:
                (self.set if type(node.ctx) is ast.Store else self.attributes)[node.attr] = node.lineno
            elif kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
                self.defined[node.name] = node.lineno
                if kind is ast.ClassDef:
                    self.set |= {part.name: part.lineno for part in node.body if type(part) is ast.FunctionDef}
            elif kind is ast.Constant and type(node.value) is str:
                self.strings[node.value] = node.lineno
            elif kind is ast.Import:
                self.imports |= {alias.name: node.lineno for alias in node.names}
            elif kind is ast.ImportFrom:
                self.imports |= {f"{node.module}.{alias.name}": node.lineno for alias in node.names}

    def listed(self) -> dict[str, int]:
        """Those of `NAMES` that are used, set, replaced or spelled; functions of a module may share their names."""
        found = {**self.strings, **self.attributes, **self.set}
        return {name: line for name, line in found.items() if name in NAMES}

    def foreign(self, own) -> dict[str, int]:
        """Underscored attributes that are none of `own`."""
        return {name: line for name, line in self.attributes.items()
                if name.startswith("_") and name not in own and (not name.endswith("__") or name == "__internal__")}

    def private_modules(self) -> dict[str, int]:
        return {name: line for name, line in self.imports.items()
                if f"{name}.".startswith(tuple(f"{module}." for module in PRIVATE_MODULES))
                or any(part.startswith("_") and not part.endswith("__") for part in name.split("."))}


def violations(files: dict[str, Names]) -> list[str]:
    """Private names of others in these files."""
    own = PUBLIC.union(*({**names.defined, **names.set} for names in files.values()))
    return [f"{path}:{line} {name}" for path, names in files.items()
            for name, line in (names.listed() | names.foreign(own) | names.private_modules()).items()]


def test_no_other_file_uses_private_names():
    files = {str(path.relative_to(PACKAGE)): Names(path.read_text(encoding="utf-8"))
             for path in sorted(PACKAGE.rglob("*.py")) if path != FILE}
    assert len(files) > 100
    assert violations(files) == []


def test_the_list_of_names_is_complete():
    names = Names(FILE.read_text(encoding="utf-8"))
    assert set(names.listed()) == NAMES
    assert set(names.foreign(NAMES)) == {"__internal__"}
    assert list(names.private_modules()) == [
        "keras.src.backend.common.global_state", "tensorflow.compiler.tf2xla.ops.gen_xla_ops",
        "tensorflow.python.framework.convert_to_constants.convert_variables_to_constants_v2"]


def test_the_check_finds_private_names():
    source = ("import keras\nfrom keras.src import backend\nfrom torch._utils import rebuild\n"
              "class A(keras.layers.Layer):\n    def _mine(self):\n        self._own = self._theirs\n"
              "    def _symbolic_build(self):\n        return self._mine(), self._own, getattr(self, '_path')\n"
              "tf.__internal__.merge()\nos._exit(1)\n")
    assert sorted(violations({"a.py": Names(source)})) == [
        "a.py:2 keras.src.backend", "a.py:3 torch._utils.rebuild", "a.py:6 _theirs", "a.py:7 _symbolic_build",
        "a.py:8 _path", "a.py:9 __internal__"]
