"""`tfplm export`: a model as a folder for another program."""

import contextlib
import dataclasses
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tfplm.core.config import read_json, write_json
from tfplm.core.outputs import writing_folder
from tfplm.core.terminal.results import as_json, for_people
from tfplm.data.text.builtin_corpus import builtin_documents
from tfplm.data.text.text_files import find_files, read_lines
from tfplm.export.cache_check import check_cache
from tfplm.export.kinds import Exported
from tfplm.export.opening import open_exported
from tfplm.export.report import ExportReport
from tfplm.export.text_check import check_generation, compare_texts
from tfplm.export.verification import batches_of, check, compare, speeds
from tfplm.models.portable.formats import format_of, open_session, write
from tfplm.options.base import verb
from tfplm.options.export import ExportOptions

REPORT = "export.json"
_MOST_TEXTS, _MOST_CALIBRATION = 64, 256
# of several scripts, lengths and kinds of characters
_TEXTS = ("The cat sleeps on the warm stone.", "A kitten is napping in the sun.", "今天天气真好，我们去公园散步吧。",
          "Numbers such as 3.14159 and 2,718 are tokenized piece by piece, naïvely.", "Interest rates rose again.", "a",
          "Ein Übersetzer überträgt Texte aus einer Sprache in eine andere.", "Это предложение написано по-русски.",
          "これは日本語の文です。", "🙂 emoji and    spaces", "他去了广州,她留在了北京。", "Why does the wind blow?")


def export(source: str | os.PathLike, directory: str | os.PathLike, format: str, precision: str = "float32",
           **options) -> ExportReport:
    """Writes a model for other programs, and returns the report on it.

        tfplm.export("sentence-transformers/all-MiniLM-L6-v2", "minilm-onnx", format="onnx")

    Args:
        source: a folder, file or hub name of a model.
        directory: the folder to write.
        format: "saved_model", "onnx", "openvino" or "litert".
        precision: "float32", "float16" or "int8".
        options: the other fields of `ExportOptions`, such as `pooling`, `calibrate` (files), `overwrite`.

    Raises ValueError for an unknown format or precision, and if the outputs differ too much from the model's,
    ImportError for a missing package, FileExistsError if the folder was written before. Nothing is written then.
    """
    return run(ExportOptions(source=os.fspath(source), target=os.fspath(directory), format=format, precision=precision,
                             **{"quiet": True, **options}))


@verb(ExportOptions)
def run(options: ExportOptions) -> ExportReport:
    """Exports, checks and reports; see `ExportOptions`."""
    found = format_of(options.format, options.precision)
    found.load((*found.packages, *found.runtime))  # a missing package is named before the model is loaded
    target = Path(options.target).expanduser()
    if target.exists() and os.path.exists(options.source) and target.samefile(options.source):
        raise ValueError(f"{target} is both the source and the target; expected two places: use another target")
    calibration = _calibration(options)
    with writing_folder(target, (REPORT,), options.overwrite):
        exported = open_exported(options)
        # in the same file system, so that what is complete is moved at once
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=f".{target.name}-") as scratch:
            folder = Path(scratch)
            report = _export(options, exported, folder, calibration)
            names = sorted(path.name for path in folder.iterdir())
            write_json(folder / REPORT, {**report.as_dict(), "files": names})
            _move(folder, target, [*names, REPORT])
    if not options.quiet or options.json:
        print(as_json(report.as_dict()) if options.json or not for_people() else report.text(target))
    return report


def _export(options: ExportOptions, exported: Exported, folder: Path, calibration: list[str]) -> ExportReport:
    texts = _texts(options)
    portable = exported.portable = dataclasses.replace(
        exported.portable, tokenizer=exported.tokenizer if exported.inside else None, max_length=exported.max_length,
        texts=tuple(text for text in texts if text))
    batches = [batch for _, batch in batches_of(exported, calibration)]
    write(portable, folder, options.format, options.precision, batches)
    written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    exported.save_companions(folder)
    session = open_session(folder, options.format)
    agreement = compare(exported, lambda _, batch: session(batch), texts) | compare_texts(exported, session, texts)
    agreement |= check_cache(exported, session, folder, texts)
    check(agreement, options.format, options.precision)
    agreement |= check_generation(exported, session, texts)
    scores = {} if options.data is None else exported.scores(options, session)
    return ExportReport(
        source=options.source, format=options.format, precision=options.precision, exported=exported.what,
        int8=None if options.precision != "int8" else "static" if calibration else "dynamic",
        bytes=written, float32_bytes=portable.weight_bytes, texts=len(texts), agreement=agreement,
        speed=speeds(exported, session, texts), scores=scores)


def _calibration(options: ExportOptions) -> list[str]:
    """The texts for static int8; raises ValueError for files without texts."""
    if not options.calibrate:
        return []
    texts = list(itertools.islice(_lines(options.calibrate, options.encoding), _MOST_CALIBRATION))
    if not texts:
        raise ValueError(f"{', '.join(options.calibrate)}: there is no text to calibrate with; expected one per line, 100 "
                         "or more: give a file with texts, or leave --calibrate out for dynamic int8")
    return texts


def _texts(options: ExportOptions) -> list[str]:
    """The texts for the check, among them an empty and a long one."""
    if options.texts:
        texts = list(itertools.islice(_lines(options.texts, options.encoding), _MOST_TEXTS))
        if not texts:
            raise ValueError(f"{', '.join(options.texts)}: there is no text; expected one per line: give a file with "
                             "texts, or leave --texts out")
        return texts
    sentences = [sentence for document in itertools.islice(builtin_documents(), 12) for sentence in document]
    few = max(0, _MOST_TEXTS - len(_TEXTS) - 2)
    return [*_TEXTS, "", " ".join(sentences)[:4000], *sentences[:few]]


def _lines(sources: Sequence[str], encoding: str) -> Iterator[str]:
    for source in sources:
        for file in find_files(source):
            yield from (line for line in read_lines(file, encoding) if line.strip())


def _move(folder: Path, target: Path, names: list[str]) -> None:
    """Moves what was written into the target, in place of what an earlier export wrote there; the report comes last."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        for name in read_json(target / REPORT).get("files", []):
            old = target / Path(name).name
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    for name in names:
        os.replace(folder / name, target / name)
