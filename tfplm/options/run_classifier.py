"""Options of `tfplm run-classifier`: the flags of google-research/bert's `run_classifier.py`, under their names."""

import dataclasses

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class RunClassifierOptions(Options):
    """What `python run_classifier.py` of google-research/bert did, with its flags, files and outputs.

    OUTPUT_DIR gets `eval_results.txt` and `test_results.tsv` as they were, and the model as `tfplm finetune` writes it.
    For a task of your own: --processor file.py:ClassName, a DataProcessor as those scripts have them.
    """

    RUN = "tfplm.adapt.run_classifier:run_classifier"

    data_dir: str = flag(help="folder with the task's train.tsv, dev.tsv, test.tsv")
    task_name: str = flag(help="cola, mnli, mrpc, xnli, sst-2, sts-b, qqp, qnli, rte, wnli")
    output_dir: str = flag(help="folder of the model and the results")
    bert_config_file: str | None = flag(None, "bert_config.json (default: beside the checkpoint)")
    vocab_file: str | None = flag(None, "vocab.txt (default: beside the checkpoint)")
    init_checkpoint: str | None = flag(None, "the pre-trained model: bert_model.ckpt, or a folder (default: OUTPUT_DIR, "
                                             "where it was trained before)")
    processor: str | None = flag(None, "file.py:ClassName of a DataProcessor, in place of the task's own")
    do_lower_case: bool | None = flag(None, "lower-case the text (default: as the vocabulary shows)")
    max_seq_length: int = flag(128, "tokens of a row")
    do_train: bool = flag(False, "train")
    do_eval: bool = flag(False, "score the development set")
    do_predict: bool = flag(False, "predict the test set")
    train_batch_size: int = flag(32, "examples of a step")
    eval_batch_size: int = flag(8, "taken and not needed: batches of an evaluation are made by length")
    predict_batch_size: int = flag(8, "taken and not needed")
    learning_rate: float = flag(5e-5, "peak learning rate of Adam")
    num_train_epochs: float = flag(3.0, "times that the training data are seen; a whole number")
    warmup_proportion: float = flag(0.1, "part of the updates in which the learning rate rises")
    save_checkpoints_steps: int = flag(1000, "steps between two checkpoints")
    iterations_per_loop: int = flag(1000, "taken and not needed")
    use_tpu: bool = flag(False, "must be false: there is no TPU support")
