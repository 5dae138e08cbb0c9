"""Models of other tests, and short checks."""

import pytest

from tests.adapt.conftest import classifier, tiny  # noqa: F401
from tests.embed.conftest import made, saved  # noqa: F401
from tests.embed.encoder.encoder_cases import TEXTS
from tfplm.export import run, verification
from tfplm.models.portable.text import characters, exactness


@pytest.fixture(autouse=True, scope="module")
def few_texts():
    """Each export is checked on a few texts, and hardly timed; tokenizers on a part of Unicode, as `test_text_ids` has
    all of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_TEXTS", TEXTS)
        patch.setattr(run, "_MOST_TEXTS", 12)
        patch.setattr(verification, "_SECONDS", 0.01)
        patch.setattr(verification, "_SINGLES", 1)
        patch.setattr(exactness, "assigned", lambda: characters.assigned()[:3000])
        yield
