"""The processor: its name, its features, and how many of its cores this process may use."""

import dataclasses
import functools
import os
import platform
import subprocess
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# units that multiply bfloat16 numbers: of x86, and of ARM ("bf16" under Linux and macOS)
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16", "svebf16"})
# features that change the speed of matrix products, in the order in which they are shown
_SHOWN = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx_vnni", "avx512_vnni",
          "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "amx_fp16", "neon", "asimd", "asimdhp",
          "asimddp", "fp16", "dotprod", "sve", "sve2", "svei8mm", "svebf16", "i8mm", "bf16", "sme", "sme2")
# Intel's names on macOS -> those of Linux
_ALIASES = {"avx1.0": "avx", "sse4.2": "sse4_2", "avx512vnni": "avx512_vnni", "avx512bf16": "avx512_bf16"}


@dataclasses.dataclass(frozen=True)
class Processor:
    """The processor of this machine.

    Attributes:
        name: as the maker calls it, such as "AMD EPYC 9B45".
        architecture: such as "x86_64" or "arm64".
        features: names of its instruction sets, in lower case as Linux has them; empty if the system does not tell.
        cores: the number of (logical) cores on which this process may run.
    """

    name: str
    architecture: str
    features: frozenset[str]
    cores: int

    @property
    def has_bfloat16(self) -> bool | None:
        """Whether it multiplies bfloat16 numbers without emulation; None if its features are unknown."""
        return bool(self.features & BFLOAT16) if self.features else None

    @property
    def shown_features(self) -> list[str]:
        """The features that change the speed of matrix products."""
        return [name for name in _SHOWN if name in self.features]


@functools.cache
def processor() -> Processor:
    """The processor of this machine, which is looked at once in each process."""
    name, features = "", frozenset[str]()
    if CPUINFO.is_file():
        name, features = _of_linux()
    elif platform.system() == "Darwin":
        name, features = _of_macos()
    return Processor(name or platform.processor() or platform.machine() or "unknown", platform.machine(), features, cores())


def cores() -> int:
    """The number of cores on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _of_linux() -> tuple[str, frozenset[str]]:
    """Name and features from /proc/cpuinfo; of several kinds of cores, the features of all. ARM has numbers as names."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", frozenset()
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":")
        if separator:
            found.setdefault(name.strip().lower(), []).append(value.strip())
    lists = [set(value.lower().split()) for key in ("flags", "features") for value in found.get(key, [])]
    names = (found.get(key, [""])[0] for key in ("model name", "cpu model", "cpu", "hardware"))
    name = next((name for name in names if name), "")
    if not name and "cpu part" in found:
        name = f"ARM processor, implementer {found.get('cpu implementer', ['?'])[0]}, part {found['cpu part'][0]}"
    return name, frozenset(set.intersection(*lists)) if lists else frozenset()


def _of_macos() -> tuple[str, frozenset[str]]:
    """The same from sysctl: `hw.optional.arm.FEAT_BF16: 1`, `machdep.cpu.leaf7_features: AVX2 ...`."""
    try:
        text = subprocess.run(["sysctl", "-a"], capture_output=True, text=True, timeout=10, errors="replace").stdout
    except (OSError, subprocess.SubprocessError):
        return "", frozenset()
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    features = {name.rpartition(".")[2].lower().removeprefix("feat_") for name, value in values.items()
                if name.startswith("hw.optional.") and value == "1"}
    for name in ("machdep.cpu.features", "machdep.cpu.leaf7_features"):
        features |= set(values.get(name, "").lower().split())
    return values.get("machdep.cpu.brand_string", ""), frozenset(_ALIASES.get(name, name) for name in features)
