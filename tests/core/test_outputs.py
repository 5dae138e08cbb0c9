"""The policy for what commands write: new, resumed, done, or refused."""

import functools
import os
import shlex
import subprocess
import sys
import textwrap
import time

import pytest

from tfplm.core import outputs
from tfplm.core.outputs import (
    LOCK,
    WriterLock,
    command,
    date,
    fingerprint,
    known_files,
    locked,
    writing_file,
    writing_folder,
)


def test_printed_commands_can_be_pasted():
    words = ["tfplm", "fill-mask", "out/三国 demo/model", "次日天[MASK]，众将来见。", "it's", "$HOME", "a;b", "", "三国.txt"]
    assert shlex.split(command(*words)) == words
    assert command("tfplm", "demo", "红楼梦.txt") == "tfplm demo 红楼梦.txt"


def test_folders_with_other_files_are_never_written_into(tmp_path):
    assert known_files(tmp_path / "new", ("a.json",)) == [] == known_files(tmp_path, ("a.json",))
    (tmp_path / LOCK).touch()
    assert known_files(tmp_path, ("a.json",)) == []
    (tmp_path / "novel.txt").write_text("text")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"has other files \(novel.txt\); expected an empty or new folder"), \
                writing_folder(tmp_path, ("a.json",), overwrite):
            raise AssertionError
    (tmp_path / "a.json").write_text("{}")
    assert known_files(tmp_path, ("a.json",)) == [tmp_path / "a.json"]
    with pytest.raises(NotADirectoryError, match="is a file; expected a folder"):
        known_files(tmp_path / "novel.txt", ("a.json",))


def test_written_again_only_if_asked(tmp_path):
    file, folder = tmp_path / "v.npy", tmp_path / "out"
    with writing_file(file) as path:
        path.write_text("1")
    with writing_folder(folder, ("*.json",)) as path:
        (path / "a.json").write_text("1")
    for again in (functools.partial(writing_file, file), functools.partial(writing_folder, folder, ("*.json",))):
        with pytest.raises(FileExistsError, match=r"was written before \(.*\); .* --overwrite"), again(False):
            raise AssertionError
        with again(True):
            pass
    assert sorted(os.listdir(tmp_path)) == ["out", "v.npy"] and os.listdir(folder) == ["a.json"]  # no lock is left
    with pytest.raises(IsADirectoryError), writing_file(folder):
        raise AssertionError


def test_after_an_error_no_empty_folder_is_left(tmp_path):
    with pytest.raises(RuntimeError), writing_folder(tmp_path / "out", ("*.json",)):
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_one_writer_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(BlockingIOError, match="another process is writing to it; wait until it has"), \
            locked(tmp_path):
        raise AssertionError
    with locked(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    code = textwrap.dedent("""
        import sys, time
        from tfplm.core.outputs import WriterLock
        lock = WriterLock(sys.argv[1])
        print("locked", flush=True)
        time.sleep(60)""")
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(BlockingIOError):
            WriterLock(tmp_path)
    finally:
        process.kill()
        process.communicate()
    assert (tmp_path / "writer.lock").exists()  # what is left of it
    WriterLock(tmp_path).release()


def test_a_file_system_without_locks_is_no_reason_to_stop(tmp_path, monkeypatch, caplog):
    class Connection:
        def execute(self, text):
            raise outputs.sqlite3.OperationalError("disk I/O error")

        def close(self):
            pass

    monkeypatch.setattr(outputs.sqlite3, "connect", lambda *arguments, **keywords: Connection())
    WriterLock(tmp_path).release()
    assert "has no locks" in caplog.text


def test_fingerprints_follow_contents(tmp_path):
    text, model = tmp_path / "a.txt", tmp_path / "model"
    model.mkdir()
    text.write_text("one")
    (model / "model.safetensors").write_bytes(b"1")
    first = fingerprint([text, model])
    (model / "README.md").write_text("nothing that counts")
    os.utime(text, (1, 1))
    assert fingerprint([text, model]) == first
    text.write_text("two")
    second = fingerprint([text, model])
    (model / "model.safetensors").write_bytes(b"2")
    assert len({first, second, fingerprint([text, model])}) == 3
    (tmp_path / "bert.ckpt.index").write_bytes(b"3")
    prefix = fingerprint([tmp_path / "bert.ckpt"])
    (tmp_path / "bert.ckpt.index").write_bytes(b"4")
    assert fingerprint([tmp_path / "bert.ckpt"]) != prefix
    assert fingerprint(["hfl/rbt3"]) != fingerprint(["hfl/rbt6"])


def test_dates():
    assert date(time.time()).count(" ") == 2 and " 2001 " in date(1e9)


def test_a_lock_that_was_removed_meanwhile_is_made_again(tmp_path, monkeypatch):
    """The holder removes the file after another process has opened it: the lock of that file means nothing."""
    connect, tries = outputs.sqlite3.connect, []

    def late(path, **keywords):
        connection = connect(path, **keywords)
        tries.append(path)
        if len(tries) == 1:
            connection.execute("BEGIN EXCLUSIVE").fetchall()
            connection.execute("COMMIT").fetchall()
            os.unlink(path)
        return connection

    monkeypatch.setattr(outputs.sqlite3, "connect", late)
    lock = WriterLock(tmp_path)
    assert len(tries) == 2 and lock.path.exists()
    lock.release(remove=True)
    assert os.listdir(tmp_path) == []
