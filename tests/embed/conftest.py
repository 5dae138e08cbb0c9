"""A tiny sentence encoder, in memory and saved in a folder."""

import pytest

from tests.embed.encoder.encoder_cases import encoder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def saved(made, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("saved")
    made.save_pretrained(folder)
    return str(folder)
