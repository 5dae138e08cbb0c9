"""Emoji prediction data (DeepMoji, Felbo et al. 2017): the emoji of a text are its labels."""

import collections
import re
from collections.abc import Iterable, Iterator

# pictographs, symbols and dingbats with what may follow: variation selectors, skin tones, joined pictographs; flags
_PICTOGRAPH = "[\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u23e9-\u23f3\U0001f300-\U0001f64f\U0001f680-\U0001f6ff" \
              "\U0001f7e0-\U0001f7eb\U0001f900-\U0001f9ff\U0001fa70-\U0001faff]"
_MODIFIER = "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*"
_EMOJI = re.compile(f"[\U0001f1e6-\U0001f1ff]{{2}}|{_PICTOGRAPH}{_MODIFIER}(?:\u200d{_PICTOGRAPH}{_MODIFIER})*")
_SKIN_AND_VARIANT = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")


def find_emoji(text: str) -> list[str]:
    """The emoji of a text in order, without skin tones and variation selectors."""
    return [_SKIN_AND_VARIANT.sub("", match) for match in _EMOJI.findall(text)]


def remove_emoji(text: str) -> str:
    """The text without its emoji; a space keeps the words around an emoji apart."""
    return " ".join(_EMOJI.sub(" ", text).split())


def emoji_classes(texts: Iterable[str], most: int = 64) -> list[str]:
    """The `most` most frequent emoji, counted once per text, most frequent first."""
    counts = collections.Counter(emoji for text in texts for emoji in dict.fromkeys(find_emoji(text)))
    return [emoji for emoji, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]]


def emoji_examples(texts: Iterable[str], classes: list[str]) -> Iterator[tuple[str, int]]:
    """(text without emoji, index in `classes`) pairs, one for each distinct emoji of a text, as in DeepMoji.

    Texts that consist of emoji alone, and emoji outside `classes`, give no example. Raises ValueError if `classes` is
    empty.
    """
    if not classes:
        raise ValueError("no emoji to predict: the corpus has none; use text with emoji, such as social media posts")
    class_index = {emoji: index for index, emoji in enumerate(classes)}
    for text in texts:
        labels = dict.fromkeys(class_index[emoji] for emoji in find_emoji(text) if emoji in class_index)
        bare = remove_emoji(text) if labels else ""
        if bare:
            for label in labels:
                yield bare, label
