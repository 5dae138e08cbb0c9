"""Installation of tfplm: `pip install -e .` for use, `pip install -e '.[test]'` for the tests."""

from pathlib import Path

from setuptools import find_packages, setup

ONNX = ["onnx>=1.17", "onnxruntime>=1.20", "tf2onnx>=1.17"]
LITERT = ["ai-edge-litert>=2.0"]
TEXT = ["tensorflow-text>=2.20"]  # it requires the TensorFlow of the same minor version
OPENVINO = ["openvino>=2025.0", "nncf>=2.17"]
EXTRAS = {
    "test": ["pytest>=8", "pytest-xdist>=3.7", "nbformat>=5.9", "nbclient>=0.10", "ipykernel>=6", "ruff>=0.9",
             "safetensors>=0.4.5", "scikit-learn>=1.3", "jieba>=0.42", "scipy>=1.11", "nltk>=3.9", "argcomplete>=3.2",
             "pyzmq>=25", "fastapi>=0.132", "uvicorn>=0.30", "prometheus_client>=0.22", "httpx>=0.27",
             "bert-serving-client==1.10.0", "cohere>=5.11", "schemathesis>=4", "pyarrow>=14", "faiss-cpu>=1.8",
             "pymilvus>=2.5", "milvus-lite>=3; sys_platform != 'win32'", "psycopg[binary]>=3.1", "PyMySQL>=1.1",
             "mypy>=2.4,<3", "numba>=0.61", "gensim>=4.4", *ONNX, *OPENVINO, *LITERT, *TEXT],
    # the documentation site; ruff shortens its signatures, jieba finds the Chinese words for its search
    "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.5,<10", "mkdocstrings>=1,<2", "mkdocstrings-python>=2,<3", "ruff>=0.9",
             "jieba>=0.42"],
    "search": ["faiss-cpu>=1.8"],  # approximate search; exact search needs no package
    "milvus": ["pymilvus>=2.5", "milvus-lite>=3; sys_platform != 'win32'"],
    "postgres": ["psycopg[binary]>=3.1"],
    "mysql": ["PyMySQL>=1.1"],
    "serve": ["pyzmq>=25"],  # bert-as-service over ZeroMQ
    "http": ["pyzmq>=25", "fastapi>=0.132", "uvicorn>=0.30", "prometheus_client>=0.22"],  # the same, and HTTP
    "onnx": ONNX,  # tfplm export --format onnx, and --backend onnx
    "openvino": OPENVINO,
    "litert": LITERT,  # tfplm export --format litert
    "text": TEXT,  # tfplm export --format saved_model with the tokenizer inside
    "parquet": ["pyarrow>=14"],
    "words": ["numba>=0.61"],  # tfplm word2vec
    "zh": ["jieba>=0.42"],  # Chinese word segmentation
    "digits": ["scikit-learn>=1.3"],  # small handwritten digits if MNIST is not available
    "bench": ["keras-hub>=0.25", "torch>=2.4", "transformers>=4.56", "sentence-transformers>=3", "onnx>=1.16",
              "onnxruntime>=1.18", "openvino>=2024.4", "ctranslate2>=4.4", "model2vec>=0.6"],
    "golden": ["torch>=2.4", "transformers>=4.56"],
    "gpu": ["tensorflow[and-cuda]>=2.20"],
    "completion": ["argcomplete>=3.2"],  # tfplm completion
    "hub": ["huggingface_hub>=0.24"],
}

setup(
    name="tfplm",
    version="0.1.0",
    description="Pre-trained language models for TensorFlow 2 and Keras 3",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["tfplm", "tfplm.*"]),
    package_data={"tfplm": ["py.typed"]},
    python_requires=">=3.10",
    install_requires=[
        "tensorflow>=2.20",
        "keras>=3.12",
        "tensorboard>=2.20",
        "tensorflow-datasets>=4.9.4",
        "numpy>=1.26",
        "ml_dtypes>=0.5",
        "sentencepiece>=0.2",
        "tokenizers>=0.20",
        "protobuf>=5",
        "google-crc32c>=1.5",  # checksums of TFRecord files
        "importlib_resources>=6",  # imported by tensorflow-datasets, but not declared
        "matplotlib>=3.8",
        "pillow>=10",
        "rich>=13",  # tables at a terminal; Keras needs it anyway
        "rouge-score>=0.1.2",
        "sacrebleu>=2.4",
        "tqdm>=4.66",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": [
        "tfplm = tfplm.cli:main",
        "bert-serving-start = tfplm.serve.bert.commands:start",
        "bert-serving-terminate = tfplm.serve.bert.commands:terminate",
        "bert-serving-benchmark = tfplm.serve.bert.benchmark:benchmark",
    ]},
)
