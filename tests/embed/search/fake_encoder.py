"""An encoder without a model: texts with common words, or words of the same meaning, are near each other."""

import numpy as np

MEANINGS = {"开门": "开放", "开馆": "开放", "几点": "时间", "什么时候": "时间", "何时": "时间", "价格": "多少钱",
            "费用": "多少钱", "书店": "图书馆", "借阅": "借", "办理": "办", "证件": "证"}
WORDS = sorted({*MEANINGS, *MEANINGS.values(), "停车", "天气", "食堂", "可以", "读者"}, key=len, reverse=True)


class FakeEncoder:
    """`encode(texts, prompt)` -> float32 `[N,dimension]`: the sum of a random vector for each word."""

    origin = None

    def __init__(self, dimension: int = 48, seed: int = 0):
        self.dimension, self.seed, self.texts = dimension, seed, []

    def encode(self, texts, prompt: str = "") -> np.ndarray:
        self.texts += [prompt + text for text in texts]
        return np.stack([self._vector(prompt + text) for text in texts])

    def _vector(self, text: str) -> np.ndarray:
        words = []
        for word in WORDS:
            words += [MEANINGS.get(word, word)] * text.count(word)
            text = text.replace(word, " ")
        vector = np.full(self.dimension, 1e-3)
        for word in [*words * 3, *(character for character in text if character.strip())]:
            code = sum(ord(character) * 31 ** index for index, character in enumerate(word))
            vector += np.random.default_rng([code, self.seed]).standard_normal(self.dimension)
        return vector.astype(np.float32)


FAQ = [
    ("hours", "图书馆几点开门？", {"answer": "早上九点开门，晚上九点关门。"}),
    ("card", "怎样办理读者证？", {"answer": "带身份证到一楼服务台。"}),
    ("loan", "一次可以借几本书？", {"answer": "最多十本，期限三十天。"}),
    ("park", "停车多少钱一小时？", {"answer": "每小时五元，两小时内免费。"}),
    ("food", "食堂在哪里？", {"answer": "地下一层。"}),
]
