"""The layers of ELMo: words from characters (Kim et al. 2016), and the two directions of the language model."""

import keras
import tensorflow as tf
from keras import ops

from tfplm.layers.initializers import usual_initializer
from tfplm.layers.recurrent import ProjectedLSTMCell
from tfplm.models.elmo.characters import CHARACTERS
from tfplm.models.elmo.options import ElmoOptions


class Highway(keras.layers.Layer):
    """A highway layer (Srivastava et al. 2015): `g relu(x W + b) + (1 - g) x`, with `g = sigmoid(x V + c)`; `[N,F]`."""

    def __init__(self, size: int, **keywords):
        super().__init__(**keywords)
        # at first the input is mostly carried
        self.carry = keras.layers.Dense(size, "sigmoid", name="carry", bias_initializer=keras.initializers.Constant(-2.0))
        self.transform = keras.layers.Dense(size, "relu", name="transform")
        for layer in (self.carry, self.transform):
            layer.build((None, size))
        self.built = True

    def call(self, x):
        gate = self.carry(x)
        return gate * self.transform(x) + (1 - gate) * x


class CharacterCNN(keras.layers.Layer):
    """Vectors of words from their characters: int32 `[B,T,C]` -> `[B,T,P]`.

    Convolutions of several widths, their maximum over the word, highway layers and a projection (Jozefowicz et al. 2016).
    """

    def __init__(self, options: ElmoOptions, **keywords):
        super().__init__(**keywords)
        self.options = options
        self.embeddings = self.add_weight(name="characters", shape=(CHARACTERS, options.character_size),
                                          initializer=usual_initializer(keras.initializers.RandomUniform(-1, 1)))
        self.convolutions = [keras.layers.Conv1D(count, width, name=f"convolution_{index}")
                             for index, (width, count) in enumerate(options.filters)]
        size = sum(count for _, count in options.filters)
        self.highways = [Highway(size, name=f"highway_{index}") for index in range(options.highways)]
        self.project = keras.layers.Dense(options.projection, name="project")
        for layer in self.convolutions:
            layer.build((None, options.longest_word, options.character_size))
        self.project.build((None, size))
        self.built = True

    def call(self, characters):
        shape = ops.shape(characters)
        flat = ops.reshape(characters, (-1, self.options.longest_word))
        zeros = ops.zeros((1, self.options.character_size), self.compute_dtype)  # of padding words
        table = ops.concatenate([zeros, ops.cast(self.embeddings, self.compute_dtype)], axis=0)
        x = ops.take(table, flat, axis=0)
        # the activation after the maximum equals one before it, on fewer numbers
        found = [keras.activations.get(self.options.activation)(ops.max(layer(x), axis=1)) for layer in self.convolutions]
        x = ops.concatenate(found, axis=-1)
        for highway in self.highways:
            x = highway(x)
        return ops.reshape(self.project(x), (shape[0], shape[1], self.options.projection))


class DirectedLSTM(keras.layers.Layer):
    """The LSTMs of one direction: `[B,T,P]` -> the outputs of all layers, each `[B,T,P]`, and their last states."""

    def __init__(self, options: ElmoOptions, backwards: bool = False, **keywords):
        super().__init__(**keywords)
        self.backwards = backwards
        self.cells = [
            ProjectedLSTMCell(options.projection, options.units, options.projection, options.cell_clip,
                              options.projection_clip, options.skip_connections and index > 0, name=f"cell_{index}")
            for index in range(options.layers)]
        self.rnns = [keras.layers.RNN(cell, return_sequences=True, return_state=True, name=f"layer_{index}")
                     for index, cell in enumerate(self.cells)]
        self.built = True

    def call(self, x, lengths, states):
        """Computes all layers. lengths: int32 `[B]`; states: pairs `[B,P]`, `[B,U]` for each layer."""
        mask = tf.sequence_mask(lengths, ops.shape(x)[1])
        outputs, last = [], []
        if self.backwards:
            x = tf.reverse_sequence(x, lengths, seq_axis=1)
        for rnn, state in zip(self.rnns, states, strict=True):
            x, *state = rnn(x, initial_state=list(state), mask=mask)
            outputs.append(tf.reverse_sequence(x, lengths, seq_axis=1) if self.backwards else x)
            last.append(tuple(state))
        return outputs, last
