"""Atomic writing of files and folders."""

import pytest

from tfplm.core.files import replacing, write_text


def test_an_error_keeps_the_old_file(tmp_path):
    file = tmp_path / "deep" / "a.txt"
    write_text(file, "старое\n旧\n")
    with pytest.raises(OSError, match="full"), replacing(file) as temporary:
        temporary.write_text("new")
        raise OSError("the disk is full")
    assert file.read_bytes() == "старое\n旧\n".encode() and list(file.parent.iterdir()) == [file]
    with replacing(file, sync=True) as temporary:
        temporary.write_text("new")
        assert file.read_text("utf-8").startswith("старое")
    assert file.read_text() == "new" and list(file.parent.iterdir()) == [file]


def test_a_folder_appears_complete(tmp_path):
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "rest").write_text("left by a killed process")
    with replacing(tmp_path / "out") as temporary:
        temporary.mkdir()
        (temporary / "a").write_text("a")
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and [p.name for p in (tmp_path / "out").iterdir()] == ["a"]
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "other") as temporary:
        temporary.mkdir()
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
