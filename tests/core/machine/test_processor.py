"""The processor: names and features as the systems write them."""

import subprocess

import pytest

from tfplm.core.machine import processor as module
from tfplm.core.machine.processor import processor

XEON = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Processor
flags\t\t: fpu sse4_2 avx avx2 fma avx512f avx512_bf16 amx_bf16 amx_tile
bogomips\t: 4600.00

processor\t: 1
model name\t: Intel(R) Xeon(R) Processor
flags\t\t: fpu sse4_2 avx avx2 fma avx512f avx512_bf16 amx_bf16 amx_tile
"""
OLD = "processor : 0\nmodel name : AMD EPYC 7B12\nflags : fpu sse4_2 avx avx2 fma\n"
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm bf16\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n\n"
MIXED = "processor : 0\nFeatures : fp asimd bf16\nCPU part : 0xd4d\n\nprocessor : 1\nFeatures : fp asimd\nCPU part : 0xd05\n"
MAINFRAME = "vendor_id : IBM/S390\nbogomips per cpu: 3033.00\nfeatures : esan3 zarch vx\n"
APPLE = """hw.optional.neon: 1
hw.optional.arm.FEAT_BF16: 1
hw.optional.arm.FEAT_I8MM: 1
hw.optional.arm.FEAT_SME: 0
machdep.cpu.brand_string: Apple M3
"""
INTEL_MAC = """machdep.cpu.brand_string: Intel(R) Core(TM) i9-9980HK CPU @ 2.40GHz
machdep.cpu.features: FPU SSE4.2 FMA AVX1.0
machdep.cpu.leaf7_features: AVX2 BMI2
hw.optional.avx2_0: 1
"""


@pytest.fixture(autouse=True)
def fresh():
    processor.cache_clear()
    yield
    processor.cache_clear()


@pytest.mark.parametrize(("text", "name", "shown", "bfloat16"), [
    (XEON, "Intel(R) Xeon(R) Processor",
     ["sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16"], True),
    (OLD, "AMD EPYC 7B12", ["sse4_2", "avx", "avx2", "fma"], False),
    (GRAVITON, "ARM processor, implementer 0x41, part 0xd40", ["asimd", "asimddp", "i8mm", "bf16"], True),
    (MIXED, "ARM processor, implementer ?, part 0xd4d", ["asimd"], False),
], ids=["xeon", "old", "graviton", "mixed"])
def test_linux(tmp_path, monkeypatch, text, name, shown, bfloat16):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    found = processor()
    assert (found.name, found.shown_features, found.has_bfloat16) == (name, shown, bfloat16)
    assert found.cores >= 1 and processor() is found


@pytest.mark.parametrize("text", ["", "nonsense\n\x00", MAINFRAME.replace("features : esan3 zarch vx\n", "")])
def test_features_that_the_system_does_not_tell_are_unknown(tmp_path, monkeypatch, text):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    found = processor()
    assert found.has_bfloat16 is None and found.shown_features == [] and found.name


def test_other_architectures_have_features_without_bfloat16(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(MAINFRAME)
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "cpuinfo")
    assert processor().has_bfloat16 is False


@pytest.mark.parametrize(("text", "name", "shown", "bfloat16"), [
    (APPLE, "Apple M3", ["neon", "i8mm", "bf16"], True),
    (INTEL_MAC, "Intel(R) Core(TM) i9-9980HK CPU @ 2.40GHz", ["sse4_2", "avx", "avx2", "fma"], False)], ids=["arm", "intel"])
def test_macos(tmp_path, monkeypatch, text, name, shown, bfloat16):
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(module.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(module.subprocess, "run", lambda *args, **kw: subprocess.CompletedProcess(args, 0, text))
    found = processor()
    assert (found.name, found.shown_features, found.has_bfloat16) == (name, shown, bfloat16)


def test_macos_without_sysctl(tmp_path, monkeypatch):
    def missing(*arguments, **keywords):
        raise FileNotFoundError("sysctl")

    monkeypatch.setattr(module, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(module.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(module.subprocess, "run", missing)
    assert processor().has_bfloat16 is None
