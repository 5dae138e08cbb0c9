"""The files of the profiler: for the chosen steps only, also if training ends within them."""

import pytest
from keras.callbacks import LambdaCallback

from tests.summaries.models import data, functional
from tfplm.summaries import ProfileCallback


@pytest.mark.parametrize(("first", "last", "recorded"), [(2, 3, True), (4, 90, True), (80, 90, False)])
def test_trace(tmp_path, first, last, recorded):
    x, y = data()
    callback = ProfileCallback(tmp_path, first, last)
    model = functional()
    for _ in range(2):  # the second fit needs the profiler to be stopped by the first
        model.fit(x, y, batch_size=20, verbose=0, callbacks=[callback])
    found = list(tmp_path.glob("train/plugins/profile/*/*.xplane.pb"))
    assert bool(found) == recorded and all(path.stat().st_size > 1000 for path in found)


def test_after_an_interrupted_fit(tmp_path):
    def interrupt(batch, logs):
        raise KeyboardInterrupt

    x, y = data()
    callback, model = ProfileCallback(tmp_path, 1, 90), functional()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=20, verbose=0, callbacks=[callback, LambdaCallback(on_train_batch_end=interrupt)])
    model.fit(x, y, batch_size=20, verbose=0, callbacks=[callback])
    assert len(list(tmp_path.glob("train/plugins/profile/*/*.xplane.pb"))) >= 1


def test_invalid_range(tmp_path):
    with pytest.raises(ValueError, match="steps 5 to 4: expected 1 <= first <= last"):
        ProfileCallback(tmp_path, 5, 4)
