"""Options of `tfplm run-classifier`, with the names of google-research/bert's `run_classifier.py`."""

import dataclasses

from tfplm.options.base import DeviceOptions, flag


@dataclasses.dataclass(kw_only=True)
class RunClassifierOptions(DeviceOptions):
    """Run `run_classifier.py` of google-research/bert, with the same flags, files and outputs.

    OUTPUT_DIR gets `eval_results.txt` and `test_results.tsv` in their original form, and the model in the form of
    `tfplm finetune`. For your own task, use --processor with the file of a DataProcessor from such a script.
    """
    DETAILS = """
    That file may end as the script did, with a dict `processors` that has the task: `--processor file.py --task_name=demo`.
    Its imports of `tokenization` and `run_classifier` are those of tfplm, if Python finds no others. From Python:
    `from tfplm.adapt.run_classifier import processors`, then `processors["demo"] = DemoProcessor`.
    """

    RUN = "tfplm.adapt.run_classifier:run_classifier"
    EXAMPLES = ("tfplm run-classifier --task_name=MRPC --do_train=true --do_eval=true --data_dir=MRPC "
                "--init_checkpoint=uncased_L-12_H-768_A-12/bert_model.ckpt --output_dir=mrpc",
                "tfplm run-classifier --task_name=MRPC --do_predict=true --data_dir=MRPC --output_dir=mrpc")

    data_dir: str = flag(help="folder with the task's train.tsv, dev.tsv, test.tsv")
    task_name: str = flag(help="cola, mnli, mrpc, xnli, sst-2, sts-b, qqp, qnli, rte, wnli, or your own")
    output_dir: str = flag(help="folder of the model and the results")
    overwrite: bool = flag(False, "train again, if the folder has a finished training, or one with other options or data")
    bert_config_file: str | None = flag(None, "bert_config.json (default: next to the checkpoint)")
    vocab_file: str | None = flag(None, "vocab.txt (default: next to the checkpoint)")
    init_checkpoint: str | None = flag(None, "the pre-trained model: bert_model.ckpt, or a folder (default: the model "
                                             "in OUTPUT_DIR)")
    processor: str | None = flag(None, "file.py:ClassName of a DataProcessor, instead of that of the task; or file.py, "
                                       "which adds the task to `processors`")
    do_lower_case: bool | None = flag(None, "lower-case the text (default: by the vocabulary)")
    max_seq_length: int = flag(128, "maximum tokens of a row")
    do_train: bool = flag(False, "train")
    do_eval: bool = flag(False, "evaluate on the development set")
    do_predict: bool = flag(False, "predict the test set")
    train_batch_size: int = flag(32, "examples per step")
    eval_batch_size: int = flag(8, "accepted but ignored: evaluation batches are formed by length")
    predict_batch_size: int = flag(8, "accepted but ignored")
    learning_rate: float = flag(5e-5, "peak learning rate of Adam")
    num_train_epochs: float = flag(3.0, "passes over the training data; the updates are as many as full batches")
    warmup_proportion: float = flag(0.1, "share of the updates during which the learning rate rises")
    save_checkpoints_steps: int = flag(1000, "steps between two checkpoints")
    iterations_per_loop: int = flag(1000, "accepted but ignored")
    use_tpu: bool = flag(False, "must be false: there is no TPU support")
