"""ELMo (Peters et al. 2018, "Deep contextualized word representations") as a Keras model."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from tfplm.layers.initializers import skip_initialization
from tfplm.layers.precision import dtype_policy
from tfplm.models.elmo import files
from tfplm.models.elmo.characters import character_ids
from tfplm.models.elmo.layers import CharacterCNN, DirectedLSTM
from tfplm.models.elmo.options import ElmoOptions


@keras.saving.register_keras_serializable("tfplm")
class Elmo(keras.Model):
    """Vectors of words in their context: the layers of a bidirectional language model over characters.

    Call it with `character_ids(sentences)`, int32 `[B,T,C]`; it returns `[B,L,T,2P]`: the vector of the word itself, twice,
    then the layers of both directions, for all positions with the signs of a sentence. Positions of padding are zeros.

        elmo = tfplm.Elmo.from_pretrained(folder)
        for layers in elmo.embed([["我", "爱", "苹果"], ["apple", "pie"]]):
            print(layers.shape)                      # (3, words, 2 * projection)

    Args:
        options: an `ElmoOptions`, its dict, or the name of a preset ("elmo-small", "elmo-medium", "elmo-original").
        dtype: a Keras dtype policy or its name.
    """

    def __init__(self, options: ElmoOptions | dict[str, Any] | str, name: str = "elmo", dtype=None):
        if isinstance(options, str):
            options = ElmoOptions.preset(options)
        self_options = options if isinstance(options, ElmoOptions) else ElmoOptions(**options)
        with dtype_policy(dtype) as policy:
            super().__init__(name=name, dtype=policy)
            self.options = self_options
            self.words = CharacterCNN(self.options, name="words")
            self.forward_side = DirectedLSTM(self.options, name="forward")
            self.backward_side = DirectedLSTM(self.options, backwards=True, name="backward")
        self._states: list[np.ndarray] | None = None
        self._step = tf.function(self.layers_and_states, reduce_retracing=True)
        self.built = True

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike, dtype=None) -> "Elmo":
        """Reads AllenNLP's layout: `*options.json` and `*weights.hdf5`.

        Raises FileNotFoundError, and ValueError for files that are damaged or do not belong together.
        """
        options_file, weights = files.find(folder)
        options = ElmoOptions.from_file(options_file)
        values = dict(files.read(weights, options, options_file))
        with skip_initialization():
            model = cls(options, dtype=dtype)
        for path, variable in model.named_variables().items():
            variable.assign(values[path])
        return model

    def save_pretrained(self, folder: str | os.PathLike) -> None:
        """Writes AllenNLP's layout: `options.json` and `weights.hdf5`."""
        files.write(folder, self.options, {path: np.asarray(ops.convert_to_numpy(variable), np.float32)
                                           for path, variable in self.named_variables().items()})

    def named_variables(self) -> dict[str, keras.Variable]:
        """Path -> variable, such as `forward/cell_0/kernel`."""
        found = {}
        for side in ("forward", "backward"):
            for cell in getattr(self, f"{side}_side").cells:
                found.update({f"{side}/{cell.name}/{variable.name}": variable for variable in cell.weights})
        words = self.words
        found["words/characters"] = words.embeddings
        for layer in [*words.convolutions, words.project]:
            found.update({f"words/{layer.name}/{variable.name}": variable for variable in layer.weights})
        for highway in words.highways:
            for part in (highway.carry, highway.transform):
                found.update({f"words/{highway.name}/{part.name}/{variable.name}": variable for variable in part.weights})
        return found

    def zero_states(self, batch: int) -> list:
        """The states before a text: for both directions and each layer `[B,P]` and `[B,U]`, one after the other."""
        sizes = [self.options.projection, self.options.units] * (2 * self.options.layers)
        return [ops.zeros((batch, size), self.compute_dtype) for size in sizes]

    def layers_and_states(self, characters, states):
        """As `call`, from given states `zero_states(B)`; returns also the states after each sentence."""
        lengths = ops.sum(ops.cast(ops.any(ops.not_equal(characters, 0), axis=-1), "int32"), axis=1)
        words = self.words(characters)
        pairs, depth = list(zip(states[::2], states[1::2], strict=True)), self.options.layers
        forward, first = self.forward_side(words, lengths, pairs[:depth])
        backward, second = self.backward_side(words, lengths, pairs[depth:])
        layers = [ops.concatenate(both, axis=-1) for both in [(words, words), *zip(forward, backward, strict=True)]]
        real = ops.cast(tf.sequence_mask(lengths, ops.shape(characters)[1]), layers[0].dtype)
        return ops.stack(layers, axis=1) * real[:, None, :, None], [state for pair in [*first, *second] for state in pair]

    def call(self, characters, training=False):
        """int32 `[B,T,C]` -> `[B,L,T,2P]`; every sentence begins with states of zeros."""
        characters = ops.cast(characters, "int32")
        return self.layers_and_states(characters, self.zero_states(ops.shape(characters)[0]))[0]

    def embed(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """The layers of each word: for each sentence float32 `[L, words, 2P]`.

        The states of the LSTMs go on from batch to batch, as in the original: sentence i of a batch continues sentence i
        of the one before. `reset_states` begins anew.
        """
        if not len(sentences):
            return []
        characters = character_ids(sentences, self.options.longest_word)
        states = [np.array(state) for state in self.zero_states(len(sentences))]
        for old, new in zip(self._states or [], states, strict=bool(self._states)):
            new[:len(old)] = old[:len(new)]
        layers, last = self._step(characters, states)
        # as in the original, texts that are not in this batch keep their states
        self._states = [np.concatenate([state.numpy(), old[len(state):]]) for state, old in
                        zip(last, self._states or states, strict=True)]
        layers = ops.convert_to_numpy(layers).astype(np.float32)
        return [rows[:, 1:len(sentence) + 1] for rows, sentence in zip(layers, sentences, strict=True)]

    def reset_states(self) -> None:
        """Lets the next call of `embed` begin with states of zeros."""
        self._states = None

    def get_config(self):
        return {"options": dataclasses.asdict(self.options), "name": self.name,
                "dtype": keras.dtype_policies.serialize(self.dtype_policy)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = keras.dtype_policies.deserialize(config["dtype"])
        return cls(**config)
