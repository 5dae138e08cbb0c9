"""Detection of the roles of columns (text, label, ...) by their names, else by their values."""

import dataclasses
import logging
import re
from collections.abc import Iterable, Sequence

from tfplm.data.tasks.reading import Reading, Table, shorten

log = logging.getLogger(__name__)
_SAMPLE = 1000  # the number of rows inspected

# the column names of published data sets, more likely ones first
PAIRS = (("sentence1", "sentence2"), ("text_a", "text_b"), ("text1", "text2"), ("question1", "question2"),
         ("premise", "hypothesis"), ("question", "sentence"), ("question", "passage"), ("question", "context"),
         ("#1_string", "#2_string"), ("sentence_a", "sentence_b"), ("s1", "s2"), ("q1", "q2"), ("query", "title"),
         ("query", "passage"), ("query", "candidate"), ("query", "document"), ("text", "pair"), ("text", "text_pair"))
TEXTS = ("text", "sentence", "text_a", "sentence1", "review", "content", "comment_text", "comment", "tweet", "document",
         "article", "utterance", "message", "sms", "headline", "title", "abstract", "query", "question", "body",
         "description", "文本", "句子", "内容", "评论", "正文", "标题")
LABELS = ("gold_label", "label", "labels", "class", "category", "target", "score", "similarity", "sentiment",
          "is_duplicate", "quality", "rating", "stars", "gold", "polarity", "intent", "topic", "answer", "y", "标签",
          "类别", "分类", "情感", "相似度")
SPLITS = ("split", "set", "fold", "partition")
IDS = ("id", "idx", "index", "guid", "pairid", "qid", "uid", "编号", "序号")
TOKENS = ("tokens", "words", "word", "chars", "characters", "token", "text", "sentence", "文本")
TAGS = ("ner_tags", "ner", "tags", "labels", "tag", "label", "pos_tags", "upos", "pos", "标签")
SOURCES = ("source", "src", "input", "article", "document", "dialogue", "text", "content", "sentence", "question",
           "prompt", "文本", "正文")
TARGETS = ("target", "tgt", "output", "highlights", "summary", "translation", "correction", "abstract", "headline",
           "title", "answer", "response", "completion", "摘要", "标题")
SPLIT_WORDS = {"train": ("train", "tr", "training"), "dev": ("dev", "va", "val", "valid", "validation"),
               "test": ("test", "te")}
# column names that are unlikely as values: one of them makes a header; of the other names two are needed
_STRONG = {"text", "sentence", "label", "labels", "gold_label", "text_a", "text_b", "text1", "text2", "sentence1",
           "sentence2", "sentence_a", "question1", "question2", "premise", "hypothesis", "#1_string", "comment_text",
           "is_duplicate", "tokens", "ner_tags", "review", "文本", "标签", "类别", "句子"}
_KNOWN = {*TEXTS, *LABELS, *SPLITS, *IDS, *TOKENS, *TAGS, *SOURCES, *TARGETS,
          *(name for pair in PAIRS for name in pair)} - {"pos", "y", "set", "input", "output"}


def normalise(name: str) -> str:
    """`Gold Label` and `gold-label` are `gold_label`."""
    return re.sub(r"[\s-]+", "_", name.strip().strip("\ufeff").lower())


def is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Returns True if the first row names the columns: it has known names, or words above a column of numbers."""
    first = [cell.strip() for cell in rows[0]]
    full = first if first[0] or len(first) == 1 else first[1:]  # pandas writes its index without a name
    if not all(full) or len(set(full)) < len(full) or any(is_number(cell) or len(cell) > 40 for cell in full):
        return False
    names = {normalise(cell) for cell in full}
    if names & _STRONG or len(names & _KNOWN) > 1:
        return True
    words = all(re.fullmatch(r"[A-Za-z_#][\w#.-]*", cell) for cell in full)
    below = [[row[column] for row in rows[1:] if len(row) == len(first)] for column in range(len(first))]
    return words and any(len(cells) > 1 and all(map(is_number, cells)) for cells in below)


def resolve(column: str, table: Table, flag: str) -> str:
    """The column with this name or index. Raises ValueError, listing the columns, if there is none."""
    if column in table.columns:
        return column
    if re.fullmatch(r"-?\d+", column) and -len(table.columns) <= int(column) < len(table.columns):
        return table.columns[int(column)]
    there = ", ".join(f"{i} {name!r}" if table.named else f"{i} ({shorten(table.rows[0].values[name], 20)})"
                      for i, name in enumerate(table.columns))
    raise ValueError(f"{table.name}: there is no column {column!r} (--{flag}); its columns are {there}")


def first_named(columns: Iterable[str], names: Iterable[str]) -> str | None:
    """The first of the names that is a column, in the column's spelling."""
    there = {normalise(column): column for column in columns}
    return next((there[name] for name in names if name in there), None)


@dataclasses.dataclass
class Profile:
    """Statistics of the values of a column."""

    values: list[str]

    def __post_init__(self):
        full = [value for value in self.values if value]
        self.count, self.distinct = len(self.values), len(set(self.values))
        self.empty = self.count - len(full)
        self.numeric = bool(full) and all(map(is_number, full))
        self.longest = max(map(len, full), default=0)
        self.mean = sum(map(len, full)) / max(len(full), 1)
        self.spaced = any(" " in value for value in full)
        self.plain = all(re.fullmatch(r"[\w./:+&-]+", value, re.ASCII) for value in full)

    @property
    def counts_up(self) -> bool:
        """True for consecutive integers such as 1, 2, 3, ...: a row number."""
        if self.count < 3 or not all(value.isdecimal() for value in self.values):
            return False
        return all(int(b) == int(a) + 1 for a, b in zip(self.values, self.values[1:]))

    @property
    def few(self) -> bool:
        return self.longest <= 40 and self.distinct <= max(2, 0.2 * self.count)

    def may_be_label(self, others_mean: float) -> bool:
        if self.numeric:
            return True
        if self.count >= 20:
            return self.few
        return self.longest <= 40 and not self.spaced and (self.plain or self.mean <= 0.5 * others_mean)

    def rank(self, position: int) -> tuple:
        return self.numeric, -self.distinct, self.plain, position


def find_columns(table: Table, reading: Reading) -> dict[str, str]:
    """Maps the roles `text`, `pair`, `label`, `id` to the columns of a table of texts; missing roles are omitted.

    Raises ValueError if the text column cannot be determined.
    """
    roles = _given(table, reading, ("text", "pair", "label", "id"))
    free = [column for column in table.columns if column not in roles.values() and column != split_column(table, reading)]
    if table.named and "id" not in roles and (name := first_named(free, IDS)):
        roles["id"] = name
        free.remove(name)
    if table.named and "label" not in roles and (name := first_named(free, LABELS)) and len(table.columns) > 1:
        roles["label"] = name
        free.remove(name)
    if "text" not in roles:
        _name_texts(table, free, roles)
    if "text" not in roles or (not table.named and "label" not in roles):
        _guess(table, free, roles, reading)
    elif "label" not in roles and len(table.columns) == 2 and "pair" not in roles:
        rest = [column for column in free if column != roles["text"]]
        roles.update({"label": rest[0]} if rest else {})
    return roles


def _given(table: Table, reading: Reading, names: Iterable[str]) -> dict[str, str]:
    """The columns named by the caller; several label columns stay one string."""
    roles = {}
    for name in names:
        column = getattr(reading, f"{name}_column")
        if column is not None:
            several = name == "label" and column not in table.columns
            parts = column.split(",") if several else [column]
            roles[name] = ",".join(resolve(part.strip(), table, f"{name}-column") for part in parts)
    return roles


def _name_texts(table: Table, free: list[str], roles: dict[str, str]) -> None:
    if not table.named:
        return
    there = {normalise(column): column for column in free}
    for one, two in PAIRS:
        if one in there and two in there and "pair" not in roles:
            roles.update(text=there[one], pair=there[two])
            return
    if name := first_named(free, TEXTS):
        roles["text"] = name


def _guess(table: Table, free: list[str], roles: dict[str, str], reading: Reading) -> None:
    sample = table.rows[:_SAMPLE]
    profiles = {column: Profile([str(row.values.get(column, "")).strip() for row in sample]) for column in free}
    first = table.columns[0]
    if first in profiles and len(profiles) > 1 and profiles[first].counts_up:
        del profiles[first]
    if "label" not in roles and len(profiles) > ("text" not in roles):
        means = {name: max((p.mean for other, p in profiles.items() if other != name), default=0) for name in profiles}
        candidates = [(profile.rank(position), name) for position, (name, profile) in enumerate(profiles.items())
                      if profile.may_be_label(means[name]) and name != roles.get("text")
                      and (profile.numeric or reading.label_kind != "number")]
        if candidates:
            roles["label"] = max(candidates)[1]
            del profiles[roles["label"]]
    if "text" in roles:
        return
    texts = [name for name, p in profiles.items() if p.empty <= 0.5 * p.count and not p.numeric
             and (p.count < 20 or not p.few)] or list(profiles)
    if len(texts) > 2:  # the other columns are shorter than the texts
        widest = max(profiles[name].mean for name in texts)
        texts = [name for name in texts if profiles[name].mean >= 0.5 * widest]
    if len(texts) > 2 or not texts:
        there = ", ".join(f"{i} {name!r}" if table.named else f"{i} ({shorten(sample[0].values[name], 30)})"
                          for i, name in enumerate(table.columns))
        raise ValueError(f"{table.name}: cannot tell which column is the text; its columns are {there}. "
                         "Give --text-column (and --pair-column, --label-column)")
    roles["text"] = texts[0]
    if len(texts) == 2 and "pair" not in roles:
        roles["pair"] = texts[1]


def split_column(table: Table, reading: Reading) -> str | None:
    """The column with the split of each row: as given, or, among three or more columns, found by name and values."""
    if reading.split_column is not None:
        return resolve(reading.split_column, table, "split-column")
    if len(table.columns) < 3:
        return None
    words = {word for synonyms in SPLIT_WORDS.values() for word in synonyms}
    for column in table.columns:
        if ((not table.named or normalise(column) in SPLITS)
                and all(str(row.values.get(column)).strip().lower() in words for row in table.rows)):
            return column
    return None


def rows_of_split(table: Table, reading: Reading, split: str | None) -> Table:
    """The rows of one split according to the split column; all rows if there is no such column, or for split=None.

    Raises ValueError if the split has no rows.
    """
    column = split_column(table, reading)
    if column is None or split is None:
        return table
    wanted = {split.lower(), *next((words for words in SPLIT_WORDS.values() if split.lower() in words), ())}
    rows = [row for row in table.rows if str(row.values.get(column)).strip().lower() in wanted]
    if not rows:
        there = sorted({str(row.values.get(column)) for row in table.rows})[:10]
        raise ValueError(f"{table.name}: no row of split {split!r}; its column {column!r} has {', '.join(there)}")
    log.info("%s: %d rows of split %s, by column %r", table.name, len(rows), split, column)
    return dataclasses.replace(table, rows=rows)


def target_columns(table: Table, reading: Reading) -> dict[str, str]:
    """Maps the roles `text`, `target`, `id` to the columns of a table; without known names, the first two columns."""
    roles = _given(table, reading, ("text", "target", "id"))
    free = [column for column in table.columns if column not in roles.values() and column != split_column(table, reading)]
    if table.named and "id" not in roles and (name := first_named(free, IDS)):
        roles["id"] = name
        free.remove(name)
    for role, names in (("text", SOURCES), ("target", TARGETS)):
        if role not in roles and table.named and (name := first_named(free, names)):
            roles[role] = name
            free.remove(name)
    for role in ("text", "target"):
        if role not in roles and free:
            roles[role] = free.pop(0)
    if "text" not in roles:
        raise ValueError(f"{table.name}: there is no column for the text; give --text-column and --target-column")
    return roles


def tag_columns(table: Table, reading: Reading) -> dict[str, str]:
    """Maps the roles `tokens`, `tags`, `id` to the columns of a table whose rows are sentences."""
    if table.columns in (["tokens", "tags"], ["tokens"]):  # a CoNLL file, whose reader has already chosen
        return {name: name for name in table.columns}
    roles: dict[str, str] = {}
    for role, given, names in (("tokens", reading.text_column, TOKENS), ("tags", reading.tag_column or
                                reading.label_column, TAGS), ("id", reading.id_column, IDS)):
        free = [column for column in table.columns if column not in roles.values()]
        if given is not None:
            roles[role] = resolve(given, table, {"tokens": "text", "tags": "tag", "id": "id"}[role] + "-column")
        elif name := first_named(free, names):
            roles[role] = name
    if "tokens" not in roles:
        raise ValueError(f"{table.name}: no column of words; its columns are {', '.join(table.columns)}; give "
                         "--text-column and --tag-column")
    return roles
