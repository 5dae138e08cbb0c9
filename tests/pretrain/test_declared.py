"""Declarations of objectives: a new one needs only a file in their folder."""

import subprocess
import sys

import pytest

from tfplm.options.objectives import FOLDER, declared, listing, own_flags
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.objectives.catalogue import OBJECTIVES

SOURCE = '''
LIMIT = 3


class Base:
    head = "x"


class Reordering(Base):
    """`reorder`."""

    name, help = "reorder", "the order of shuffled sentences"
    flags = {"most_sentences": (3, "sentences that are shuffled"), "units": (["a", "b"], "of them")}
    packing = LIMIT
'''


def test_all_are_found_under_their_names():
    for name, kind in OBJECTIVES.items():
        assert (kind.name, kind.help) == (name, declared()[name].help) and kind.help
    assert list(OBJECTIVES) == sorted(OBJECTIVES) and len(OBJECTIVES) >= 14
    assert all(name in PretrainOptions.__doc__ for name in OBJECTIVES) and listing() in PretrainOptions.DETAILS


def test_a_new_file_is_found(tmp_path):
    (tmp_path / "reorder.py").write_text(SOURCE, encoding="utf-8")
    (found,) = declared(tmp_path).values()
    assert (found.name, found.module, found.kind) == ("reorder", "reorder", "Reordering")
    assert found.help == "the order of shuffled sentences"
    assert found.flags == {"most_sentences": (3, "sentences that are shuffled"), "units": (["a", "b"], "of them")}


@pytest.mark.parametrize("change, message", [
    (("reorder", "reorder"), "z.py, Reordering declares the objective 'reorder', which another"),
    (('"reorder"', '"other"'), "z.py, Reordering declares the flag 'most_sentences', which another")])
def test_names_are_declared_once(tmp_path, change, message):
    (tmp_path / "a.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "z.py").write_text(SOURCE.replace(*change), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        declared(tmp_path)


def test_flags_of_objectives_are_flags_of_the_verb():
    options = PretrainOptions(generator_size=0.5)
    assert own_flags(options) == {"generator_size": 0.5, "noise": ["permutation", "infilling"]}
    options.noise.append("rotation")
    assert PretrainOptions().noise == ["permutation", "infilling"]  # the default is not shared
    done = subprocess.run([sys.executable, "-m", "tfplm.cli", "pretrain", "--help-all"], capture_output=True, text=True,
                          check=True, timeout=60)
    assert "--generator-size" in done.stdout and "rtd: width of the generator" in done.stdout
    assert "denoising: any of permutation" in done.stdout and "span-corruption" in done.stdout


def test_the_folder_is_that_of_the_package():
    import tfplm.pretrain.objectives

    assert list(tfplm.pretrain.objectives.__path__) == [str(FOLDER)]
