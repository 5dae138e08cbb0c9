"""What becomes of the output folder of a training: new, resumed, done, extended, refused, started again."""

import dataclasses
import time

import pytest

from tfplm.core.config import write_json
from tfplm.options.base import TrainingOptions, flag
from tfplm.options.optimizer import OptimizerOptions
from tfplm.training.loop import run_folder
from tfplm.training.loop.run_folder import RESULTS, open_folder


@dataclasses.dataclass(kw_only=True)
class Options(TrainingOptions, OptimizerOptions):
    steps: int = flag(60, "steps")
    width: int = flag(8, "width")


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """`opened(options..., data=..., done=..., saved=...)`: starts a training, which saves a checkpoint, and finishes."""
    values: dict = {}
    monkeypatch.setattr(run_folder, "newest_values", lambda folder: values.get("newest"))

    def start(data="x", saved=0, done=False, **options):
        options = {"output": str(tmp_path / "out"), **options}
        with open_folder(Options(**options), "train", {"the text": data}) as folder:
            if saved:
                folder.checkpoints.mkdir(exist_ok=True)
                (folder.checkpoints / "ckpt-1.index").touch()
                values["newest"] = {"total": saved, "whole": options.get("steps", 60), "time": time.time()}
            if done:
                write_json(folder.output / RESULTS, {})
        return folder

    return start


def test_the_first_line(opened, capsys, monkeypatch, tmp_path):
    opened()
    assert capsys.readouterr().out == ""
    opened(saved=25)
    assert capsys.readouterr().out == ""
    opened(done=True)
    assert capsys.readouterr().out.startswith("resuming at step 25 of 60 (saved ")
    assert opened().done
    assert capsys.readouterr().out.startswith("already done (results of ")
    opened(quiet=True)
    assert capsys.readouterr().out == ""
    monkeypatch.chdir(tmp_path)
    assert str(opened(output=None).output) == "tfplm-train"
    assert capsys.readouterr().out == "output: tfplm-train (--output names another folder)\n"


def test_other_options_and_other_data(opened):
    opened(saved=25)
    with pytest.raises(ValueError, match=r"contains a training with other options \(width 8, now 9\): use another --output, "
                                         "or add --overwrite"):
        opened(width=9)
    with pytest.raises(ValueError, match="on other data: the contents of the text have changed since: use another --output"):
        opened(data="y")
    assert not opened(saved=1, data="y", width=9, overwrite=True).done
    opened(data="y", width=9)


def test_before_the_first_checkpoint_nothing_prepared_is_kept_that_does_not_fit(opened):
    vocabulary = opened().data / "vocabulary"
    vocabulary.mkdir(parents=True)
    opened()
    assert vocabulary.exists()
    opened(data="y")
    assert not vocabulary.exists()


def test_overwriting_removes_the_model_and_keeps_other_files(opened):
    folder = opened(saved=60, done=True)
    for name in ("model.safetensors", "config.json", "notes.txt"):
        (folder.output / name).write_text("x")
    assert opened().done and not opened(overwrite=True).done
    assert {path.name for path in folder.output.iterdir()} == {"notes.txt", "train.json", "run.json"}


def test_an_interrupted_command_with_overwrite_resumes(opened, capsys):
    opened(saved=60, done=True)
    opened(overwrite=True, saved=10)
    capsys.readouterr()
    folder = opened(overwrite=True)  # the same command again
    assert capsys.readouterr().out.startswith("resuming at step 10 of 60") and list(folder.checkpoints.iterdir())
    opened(overwrite=True, done=True)
    assert not list(opened(overwrite=True).output.glob("checkpoints"))


@pytest.mark.parametrize("schedule, more, grows", [
    ("constant", {}, True), ("linear", {}, False), ("inverse_sqrt", {"warmup_steps": 5}, True), ("inverse_sqrt", {}, False),
    ("constant", {"warmup_ratio": 0.9}, False)])
def test_more_steps_continue_where_the_schedule_allows(opened, capsys, schedule, more, grows):
    opened(schedule=schedule, saved=60, done=True, **more)
    if grows:
        folder = opened(schedule=schedule, steps=80, **more)
        assert folder.extend and not folder.done and not (folder.output / RESULTS).exists()
        assert "resuming at step 60 of 80" in capsys.readouterr().out
        assert not opened(schedule=schedule, steps=80, **more).extend  # the same command
    else:
        with pytest.raises(ValueError, match=r"\(steps 60, now 80\): use another --output and --init .*out to train on .*"
                                             "--overwrite"):
            opened(schedule=schedule, steps=80, **more)
    with pytest.raises(ValueError, match="now 40"):
        opened(schedule=schedule, steps=40, **more)


def test_folders_of_others(opened, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "novel.txt").touch()
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="has other files"):
            opened(overwrite=overwrite)
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_two_trainings_in_one_folder(opened):
    with open_folder(Options(output=str(opened().output)), "train"), pytest.raises(BlockingIOError, match="another process"):
        opened()


def test_other_workers_share_the_folder_of_the_chief(opened, tmp_path, monkeypatch, capsys):
    with open_folder(Options(output=str(tmp_path / "out")), "train") as chief:
        monkeypatch.setattr(run_folder, "is_chief", lambda: False)
        with open_folder(Options(output=str(tmp_path / "out")), "train") as worker:
            assert (worker.output, worker.log_dir) == (chief.output, chief.log_dir)
    assert capsys.readouterr().out == ""
