"""Standard error while TensorFlow loads, with a stand-in for TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tfplm.core.terminal import import_noise
from tfplm.core.terminal.import_noise import held_stderr, hold_import_noise

ROOT = Path(__file__).parents[3]
LOADS = """
import os
os.write(2, b"noise of the import\\n")
class config:
    def list_physical_devices(): os.write(2, b"noise of the devices\\n")
"""
IMPORT = "import sys\nfrom tfplm.core.terminal import hold_import_noise\nhold_import_noise()\nhold_import_noise()\n"


def run(tmp_path, module: str, code: str, **environment: str) -> subprocess.CompletedProcess:
    folder = tmp_path / "tensorflow"
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text(module)
    (folder / "python.py").write_text("")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_CPP", "CUDA_"))}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**kept, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", **environment})


def test_nothing_is_shown_of_an_import_that_works(tmp_path):
    done = run(tmp_path, LOADS, IMPORT + "import tensorflow.python\nimport tensorflow as tf\n"
                                "assert tf.__spec__.loader is tf.__loader__ and tf.__loader__.get_source('tensorflow')\n"
                                "print('later', file=sys.stderr)")
    assert (done.returncode, done.stderr) == (0, "later\n")


def test_all_is_shown_of_an_import_that_fails(tmp_path):
    done = run(tmp_path, LOADS + "raise ImportError('no AVX')", IMPORT + "try:\n    import tensorflow\n"
                                 "except ImportError as error:\n    print(error, file=sys.stderr)")
    assert (done.returncode, done.stderr) == (0, "noise of the import\nno AVX\n")


def test_a_crash_is_not_silent(tmp_path):
    done = run(tmp_path, LOADS + "os.abort()", IMPORT + "import tensorflow")
    assert done.returncode != 0 and "Fatal Python error" in done.stderr and "tensorflow" in done.stderr


def test_without_a_standard_error(tmp_path):
    silent = "class config:\n    def list_physical_devices(): pass\n"
    done = run(tmp_path, silent, f"import os\nos.close(2)\n{IMPORT}import tensorflow\nprint('done')")
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_missing_tensorflow_is_the_usual_error(tmp_path):
    done = subprocess.run([sys.executable, "-S", "-c", f"{IMPORT}import tensorflow"], capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT)}, timeout=60)
    assert "ModuleNotFoundError: No module named 'tensorflow'" in done.stderr


SETTINGS = IMPORT + "import os\nprint(os.environ.get('TF_CPP_MIN_LOG_LEVEL'), os.environ.get('CUDA_VISIBLE_DEVICES'))"


@pytest.mark.parametrize("devices, environment, expected", [
    ([], {}, "3 -1"), (["/dev/null"], {}, "3 None"), ([], {"CUDA_VISIBLE_DEVICES": "0"}, "3 0"),
    ([], {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "0"}, "0 ")])
@pytest.mark.skipif(sys.platform != "linux", reason="GPUs are looked for on Linux alone")
def test_settings_of_the_user_are_kept(tmp_path, devices, environment, expected):
    code = f"import tfplm.core.terminal.import_noise as noise\nnoise.GPU_DEVICES = {devices!r}\n{SETTINGS}"
    done = run(tmp_path, LOADS, code, **environment)
    assert done.stdout.rstrip("\n") == expected, done.stderr


def test_nothing_is_done_once_tensorflow_is_there(monkeypatch):
    before = [finder for finder in sys.meta_path if not isinstance(finder, import_noise._Finder)]
    monkeypatch.setattr(sys, "meta_path", list(before))
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    hold_import_noise()
    assert sys.meta_path == before


def test_held_text_of_other_exceptions(capfd):
    with pytest.raises(KeyboardInterrupt), held_stderr():
        os.write(2, b"noise")
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="x"), held_stderr():
        os.write(2, b"reason\n")
        raise ValueError("x")
    assert capfd.readouterr().err == "reason\n"


def test_only_lines_with_a_given_beginning_are_dropped(capfd):
    with held_stderr(b"INFO: Created"):
        os.write(2, b"INFO: Created a delegate\nof another thread\n")
    assert capfd.readouterr().err == "of another thread\n"
    with pytest.raises(OSError), held_stderr(b"INFO: Created"):
        os.write(2, b"INFO: Created a delegate\n")
        raise OSError
    assert capfd.readouterr().err == "INFO: Created a delegate\n"
