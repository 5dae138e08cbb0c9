"""The report on an export: size, agreement with the model, speed, and scores."""

import dataclasses
from pathlib import Path

from tfplm.core.files import size_text


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How near an output of the export is to that of the model, over real texts.

    difference: the largest absolute difference; scale: the largest absolute value of the model's output. cosine,
    lowest_cosine: mean and minimum over the rows of the output (for outputs of tokens, over the tokens).
    """

    difference: float
    scale: float
    cosine: float
    lowest_cosine: float


@dataclasses.dataclass(frozen=True)
class Speed:
    """texts_per_second: over all texts, in batches; milliseconds: of one text of usual length, the median."""

    texts_per_second: float
    milliseconds: float


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """The content of `export.json`.

    Attributes:
        source, format, precision: as they were asked for.
        exported: what it is, such as "sentence vectors" or "head sequence_classification".
        int8: "static" (calibrated) or "dynamic"; None for other precisions.
        bytes, float32_bytes: size of the files of the format, and of the model's weights in float32.
        texts: number of the texts of the check.
        agreement: for each output.
        speed: "tensorflow", the model itself, and the format, in this process, on these texts.
        scores: the same names -> the scores on labelled data; empty without data.
    """

    source: str
    format: str
    precision: str
    exported: str
    int8: str | None
    bytes: int
    float32_bytes: int
    texts: int
    agreement: dict[str, Agreement]
    speed: dict[str, Speed]
    scores: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)

    def as_dict(self) -> dict:
        """The values of JSON."""
        return dataclasses.asdict(self)

    def text(self, target: Path) -> str:
        """The report for people."""
        kind = self.precision if self.int8 is None else f"{self.int8} int8"
        lines = [f"{target}: {self.exported}, {self.format}, {kind}",
                 f"  size       {size_text(self.bytes)} (weights in float32: {size_text(self.float32_bytes)})"]
        lines += [f"  agreement  {name}: largest difference {each.difference:.1e} of {each.scale:.3g}, cosine "
                  f"{each.cosine:.6f}, at least {each.lowest_cosine:.6f} ({self.texts} texts)"
                  for name, each in self.agreement.items()]
        lines += [f"  speed      {name}: {each.texts_per_second:,.0f} texts/s, one text {each.milliseconds:.1f} ms"
                  for name, each in self.speed.items()]
        lines += [f"  score      {name}: " + "  ".join(f"{key} {value:.4f}" for key, value in scores.items())
                  for name, scores in self.scores.items()]
        return "\n".join(lines)
