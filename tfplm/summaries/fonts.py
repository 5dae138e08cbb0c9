"""Fonts for the labels of images, with Chinese, Japanese and Korean glyphs besides Latin ones."""

import functools
import warnings

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

LATIN = "DejaVu Sans"  # included in matplotlib
# regular faces with the common Chinese characters, most likely ones first: Linux, Windows, macOS
CHINESE = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei",
           "WenQuanYi Micro Hei", "Droid Sans Fallback", "Microsoft YaHei", "SimHei", "SimSun", "PingFang SC",
           "Hiragino Sans GB", "Heiti TC", "STHeiti", "Arial Unicode MS", "Noto Serif CJK SC", "Noto Serif CJK JP")
ADVICE = ("no installed font has the characters {}; images show them as code points. Install one that has them, on "
          "Debian or Ubuntu with `apt-get install fonts-noto-cjk`, and start again")


@functools.cache
def _characters(family: str) -> frozenset[int]:
    path = font_manager.findfont(family, fallback_to_default=False)
    return frozenset(FT2Font(path).get_charmap())


def _installed() -> set[str]:
    return {font.name for font in font_manager.fontManager.ttflist}


@functools.cache
def chinese_family() -> str | None:
    """The name, in matplotlib's font manager, of an installed font with Chinese glyphs; None if there is none."""
    found = [name for name in CHINESE if name in _installed()]
    if not found:  # matplotlib's cached list of fonts may be older than the font
        for path in font_manager.findSystemFonts():
            if any(mark in path.lower() for mark in ("cjk", "han", "wqy", "fallback", "hei", "yahei", "pingfang")):
                font_manager.fontManager.addfont(path)
        found = [name for name in CHINESE if name in _installed()]
    return found[0] if found else None


@functools.cache
def _warn(characters: str) -> None:
    warnings.warn(ADVICE.format(characters), stacklevel=4)


def drawable(labels: list[str]) -> tuple[list[str], list[str]]:
    """Returns (labels, font families) that matplotlib can draw without empty boxes.

    A character that no font has is replaced by its code point, such as `U+82F9`; one warning explains what to install.
    """
    families = [LATIN]
    wanted = {character for label in labels for character in label}
    missing = {character for character in wanted if ord(character) not in _characters(LATIN)}
    if missing and (chinese := chinese_family()):
        families.append(chinese)
        missing = {character for character in missing if ord(character) not in _characters(chinese)}
    missing = {character for character in missing if character.isprintable()}
    if missing:
        _warn("".join(sorted(missing)[:8]))
    table = {ord(character): f"U+{ord(character):04X}" for character in missing}
    table |= {ord(character): "␣" for character in wanted if not character.isprintable()}
    # matplotlib interprets $...$ as mathematics
    return [label.translate(table).replace("$", r"\$") for label in labels], families
