"""Messages of the package are printed once, in one form, whatever other libraries do with logging."""

import logging
import subprocess
import sys

import pytest

START = "import logging, sys, tfplm; log = logging.getLogger('tfplm.models')\n"


def printed(code: str) -> tuple[str, str]:
    result = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, check=True)
    return result.stderr, result.stdout


@pytest.mark.parametrize("before", ["", "logging.basicConfig()\n", "logging.warning('other')\n",
                                    "logging.basicConfig(stream=sys.stdout)\n"])
def test_one_form_even_after_a_library_configures_logging(before):
    stderr, stdout = printed(f"log.warning('first')\n{before}log.warning('second')\nlog.info('quiet')")
    assert [line for line in stderr.splitlines() if "other" not in line] == ["first", "second"] and not stdout


def test_the_format_of_a_program_is_used():
    stderr, _ = printed("logging.basicConfig(format='%(levelname)s | %(message)s', level='INFO')\n"
                        "log.info('a')\nlog.warning('b')")
    assert stderr.splitlines() == ["INFO | a", "WARNING | b"]


def test_files_get_the_messages(tmp_path):
    stderr, _ = printed(f"logging.getLogger().addHandler(logging.FileHandler({str(tmp_path / 'log')!r}))\nlog.warning('a')")
    assert stderr == "a\n" == (tmp_path / "log").read_text()


def test_a_logger_with_a_handler_of_its_own():
    """As `tfplm serve` has it."""
    stderr, _ = printed("child = logging.getLogger('tfplm.serve'); child.addHandler(logging.StreamHandler())\n"
                        "child.warning('a')\nlog.warning('b')")
    assert stderr == "a\nb\n"


def test_without_an_error_output():
    assert printed("sys.stderr = None\nlog.warning('a')\nprint('on')") == ("", "on\n")


def test_caplog_and_levels(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="tfplm.x"):
        logging.getLogger("tfplm.x").info("seen")
    logging.getLogger("tfplm.x").info("not seen")
    assert caplog.messages == ["seen"]
