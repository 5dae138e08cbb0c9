"""Options for reading labelled files, shared by all verbs that read them."""

import dataclasses
from typing import Literal

from tfplm.options.base import flag


@dataclasses.dataclass(kw_only=True)
class Reading:
    """Settings that override automatic detection. Columns are names, or indices from 0, as strings."""

    HEADING = "reading of labelled files"

    text_column: str | None = flag(None, "column of the text (a name, or an index from 0; default: detected)")
    pair_column: str | None = flag(None, "column of the second text of a pair")
    label_column: str | None = flag(None, "column of the label; or several, separated by commas, one per class with "
                                          "values 0 or 1 (--label-kind multi)")
    target_column: str | None = flag(None, "column of the target text (translation, summary)")
    tag_column: str | None = flag(None, "column of the tags (CoNLL: an index, -1 is the last one)")
    id_column: str | None = flag(None, "column of the row ids")
    split_column: str | None = flag(None, "column with train, dev or test (also tr, va, te), for files that contain "
                                          "all splits")
    header: Literal["auto", "yes", "no"] = flag("auto", "the first line has the names of the columns")
    delimiter: str | None = flag(None, "column separator (default: by the file's name and content)")
    quoting: Literal["auto", "none", "csv"] = flag("auto", "none: quotes are part of the text; csv: RFC 4180 (auto: "
                                                           "csv if commas or semicolons separate columns)")
    label_kind: Literal["class", "multi", "number"] = flag("class", "one class per row, several, or a number")
    label_separator: str | None = flag(None, "separator of several labels (default: detected among | , ;)")
    label_names: str | None = flag(None, "file with the names of numeric labels, in order (default: class.txt, "
                                         "classes.txt, labels.txt or mapping.txt next to the data; none: no names)")
    strip_segmentation: Literal["auto", "yes", "no"] = flag("auto", "drop the word positions on the characters of "
                                                                    "CoNLL files (Weibo NER)")
    encoding: str = flag("utf-8", "encoding of the files")
    skip_bad_rows: bool = flag(False, "skip and count rows that cannot be read")
