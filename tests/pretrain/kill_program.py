"""`python kill_program.py OPTIONS.json`: a pre-training that prints a line at every step; a test kills it."""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tfplm.pretrain import run as module
from tfplm.training.loop.callbacks import Speed


class Printed(Speed):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        print("step", flush=True)


if __name__ == "__main__":
    module.Speed = Printed
    with open(sys.argv[1], encoding="utf-8") as file:
        module.pretrain(**json.load(file))
