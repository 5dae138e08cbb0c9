"""tfplm: pre-trained language models for TensorFlow 2 and Keras 3.

The public names are imported on first use: `import tfplm` itself does not import TensorFlow.
"""

import importlib
import sys

from tfplm.core import logs
from tfplm.core.lazy import lazy_exports
from tfplm.core.machine.environment import prepare_tensorflow

prepare_tensorflow()
logs.install()
__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "Elmo": ".models.elmo",
    "Predictor": ".adapt.finetune",
    "SearchIndex": ".embed",
    "SentenceEncoder": ".embed",
    "SummaryCallback": ".summaries",
    "Tokenizer": ".tokenizers",
    "WordVectors": ".data.words",
    "count_parameters": ".models",
    "export": ".export",
    "finetune": ".adapt.finetune",
    "from_config": ".models",
    "from_pretrained": ".models",
    "presets": ".models",
    "pretrain": ".pretrain",
    "save_pretrained": ".models",
}, also=("__version__",), packages=("export", "pretrain"))

if "keras" in sys.modules:  # keras.models.load_model only knows classes that have been imported
    importlib.import_module(".models.keras_classes", __name__)
