"""Reading and writing of checkpoint files: safetensors, PyTorch, TensorFlow."""

from tfplm.core.checkpoints.checkpoint import Checkpoint
from tfplm.core.checkpoints.opening import open_checkpoint
from tfplm.core.checkpoints.safetensors_writer import write_safetensors
from tfplm.core.checkpoints.tensor import Tensor
from tfplm.core.checkpoints.tf1 import write_tf1

__all__ = ["Checkpoint", "Tensor", "open_checkpoint", "write_safetensors", "write_tf1"]
