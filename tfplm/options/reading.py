"""How labelled files are read, for every verb that reads them."""

import dataclasses
from typing import Literal

from tfplm.options.base import flag


@dataclasses.dataclass(kw_only=True)
class Reading:
    """What a reader cannot, or shall not, find out by itself. Columns are names, or numbers from 0 on, as strings."""

    text_column: str | None = flag(None, "column of the text (name, or number from 0; default: found out)")
    pair_column: str | None = flag(None, "column of the second text of a pair")
    label_column: str | None = flag(None, "column of the label; several, separated by commas, where each is a class of "
                                          "its own with 0 or 1 (--label-kind multi)")
    target_column: str | None = flag(None, "column of the text to be written (translation, summary)")
    tag_column: str | None = flag(None, "column of the tags (CoNLL: a number, -1 is the last one)")
    id_column: str | None = flag(None, "column that names the rows")
    split_column: str | None = flag(None, "column that says train, dev or test (also tr, va, te), for files that hold "
                                          "all of them")
    header: Literal["auto", "yes", "no"] = flag("auto", "whether the first line has the columns' names")
    delimiter: str | None = flag(None, "what separates columns (default: by the file's name and contents)")
    quoting: Literal["auto", "none", "csv"] = flag("auto", "none: quotes are part of the text; csv: RFC 4180 "
                                                           "(auto: csv where commas or semicolons separate)")
    label_kind: Literal["class", "multi", "number"] = flag("class", "one class a row, several, or a number")
    label_separator: str | None = flag(None, "what separates several labels (default: found out among | , ;)")
    label_names: str | None = flag(None, "file with the names of labels that are numbers, in order (default: "
                                         "class.txt, classes.txt, labels.txt, mapping.txt beside the data; none: no)")
    strip_segmentation: Literal["auto", "yes", "no"] = flag("auto", "CoNLL files whose characters carry a word "
                                                                    "position (Weibo NER): drop it")
    encoding: str = flag("utf-8", "encoding of the files")
    skip_bad_rows: bool = flag(False, "leave out rows that cannot be read, and count them")
