"""TensorFlow's settings: they are made before it is imported, and the user's own stay."""

import os
import platform
import subprocess
import sys

import pytest

from tfplm.core.machine.environment import ONEDNN, prepare_tensorflow


@pytest.mark.parametrize(("machine", "given", "loaded", "expected"), [
    ("x86_64", None, False, "1"), ("AMD64", None, False, "1"),
    ("x86_64", "0", False, "0"), ("x86_64", "", False, ""),  # the user's
    ("aarch64", None, False, None), ("arm64", None, False, None),
    ("x86_64", None, True, None)])  # TensorFlow has read it
def test_onednn_is_switched_on_where_tensorflow_would_not(monkeypatch, machine, given, loaded, expected):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    if loaded:
        monkeypatch.setitem(sys.modules, "tensorflow", sys)
    monkeypatch.setitem(os.environ, ONEDNN, given or "")
    if given is None:
        monkeypatch.delitem(os.environ, ONEDNN)
    assert prepare_tensorflow() == (expected == "1")
    assert os.environ.get(ONEDNN) == expected


@pytest.mark.parametrize(("given", "expected"), [(None, "1" if platform.machine() in ("x86_64", "AMD64") else None),
                                                 ("0", "0")])
def test_importing_the_package_is_enough(given, expected):
    environment = {name: value for name, value in os.environ.items() if name != ONEDNN}
    if given is not None:
        environment[ONEDNN] = given
    program = f"import os, sys, tfplm; print(os.environ.get('{ONEDNN}'), 'tensorflow' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == [str(expected), "False"]
