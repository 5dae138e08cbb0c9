"""Random texts over the whole of Unicode, the same for each seed."""

import random

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
# characters of which tokenizers have special rules: case, accents, marks, controls, spaces, edges of CJK blocks
NOTABLE = ("\0\x01\t\n\x0b\x0c\r\x1c\x1f \x7f\x80\x85\x9f\xa0\xad\u00df\u0130\u0131\u0149\u01c5\u0300\u0301\u0338\u0345"
           "\u0387\u03a3\u03c2\u03c3\u0391\u1fb3\u1fbc\u0600\u061c\u06dd\u070f\u0958\u0f0b\u10a0\u1c90\u1680\u180e\u1e9e\u2000\u200b"
           "\u200d\u200e\u2028\u2029\u202e\u2060\u2126\u212a\u212b\u2160\u2329\u24b6\u2e80\u2fff\u3000\u3004\u302a\u302e\u302f"
           "\u3131\u33ff\u3400\u4dbf\u4dc0\u4e00\u9fff\ua000\uac00\ud7a3\ue000\uf8ff\uf900\ufa0e\ufaff\ufb01\ufdfa\ufe0f\ufe30"
           "\ufeff\uff01\uff21\uffa0\ufff9\ufffc\ufffd\ufffe\uffff\U00010400\U00011f02\U0001d15e\U0001d165\U0001d400\U0001f600"
           "\U0001f1e8\U0001ffff\U00020000\U0002a6df\U0002a6e0\U0002a700\U0002b73f\U0002b740\U0002b81f\U0002b820\U0002b8a2"
           "\U0002b91f\U0002b920\U0002ceaf\U0002ceb0\U0002f800\U0002fa1f\U0002fa20\U000e0001\U000e0100\U000f0000\U0010ffff")


def _character(choose: random.Random, block: int) -> str:
    kind = choose.random()
    if kind < 0.3:
        return choose.choice(LETTERS)
    if kind < 0.42:
        return choose.choice(NOTABLE)
    if kind < 0.54:
        return choose.choice("  .,'`-!\n\t")
    # mostly from one block, as in texts, else from the basic plane or anywhere
    code = block + choose.randrange(128) if kind < 0.85 else choose.randrange(0x10000 if kind < 0.94 else 0x110000)
    return "\u4e2d" if 0xD800 <= code < 0xE000 else chr(code)


def random_texts(count: int, seed: int = 0) -> list[str]:
    """Texts of 0 to 40 characters from all blocks; some are words of 90 to 210 characters."""
    choose = random.Random(seed)
    texts = []
    for _ in range(count):
        block = choose.choice([choose.randrange(0, 0x3000, 128), choose.randrange(0, 0x10000, 128),
                               choose.randrange(0, 0x20000, 128), choose.randrange(0, 0x110000, 128)])
        if choose.random() < 0.02:
            letters = choose.choice(["ab", "a\u00e9\u0301", "x\ue001"])
            texts.append("".join(choose.choices(letters, k=choose.randint(90, 210))))
        else:
            texts.append("".join(_character(choose, block) for _ in range(choose.randint(0, 40))))
    return texts
