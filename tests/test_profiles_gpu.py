"""What the profiles really take: `.venv/bin/python -m pytest -m gpu -s`, on a machine with a GPU.

Two steps of each profile that the GPU has room for, with the real model; the peaks come into measured-peaks.jsonl
and .md, in the folder that PLANQL_PEAKS names, else in a temporary one that is printed.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from budget.gpus import GPUS
from configs.files import read_jsonl
from models.peak import peak_memory
from tests.measured import GIB, Measured, Refused, measure, write_peaks
from tests.processes import ROOT
from tests.profiles import CARDS, PROFILES, SMALL, load_profile, write_like

NO_GPU = "no CUDA device here: rent one, then .venv/bin/python -m pytest -m gpu -s"
ROW = Measured("rtx4090-x", "sft", "NVIDIA GeForce RTX 4090", 2048, 8.8, 8.0, 8.5, 10.0, 12.5)


@pytest.fixture(scope="session")
def peaks(tmp_path_factory) -> Path:
    """The folder of the measured peaks."""
    folder = Path(os.environ.get("PLANQL_PEAKS") or tmp_path_factory.mktemp("peaks"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.gpu
@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_takes_no_more_than_was_estimated(name, peaks, tmp_path):
    if not torch.cuda.is_available():
        pytest.skip(NO_GPU)
    gpu = torch.cuda.get_device_properties(0)
    least = min(GPUS[card].memory_bytes for card in CARDS[name.partition("-")[0]])
    if gpu.total_memory < 0.95 * least:  # the driver keeps some for itself
        pytest.skip(f"{name} is for {least / GIB:.0f} GiB: this GPU has {gpu.total_memory / GIB:.0f}")
    try:
        rows = measure(name, tmp_path, gpu.name, gpu.total_memory)
    except Refused as reason:
        pytest.skip(str(reason))
    table = write_peaks(rows, peaks)
    print(f"\n{table.read_text()}→ {table}")
    for row in rows:
        assert row.shown is not None and row.shown <= row.estimated, f"{row.stage}: see {table}"


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_without_a_gpu_the_measurement_is_skipped_with_the_reason():
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-rs", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and f"{len(PROFILES)} skipped" in done.stdout, done.stdout
    assert NO_GPU in done.stdout


def test_measured_peaks_stand_beside_the_estimates(tmp_path):
    other = Measured("l4-x", "rl", "NVIDIA L4", 1536, 6.0, None, None, 7.0, None)
    write_peaks([ROW], tmp_path)
    table = write_peaks([other], tmp_path)
    assert table.read_text().splitlines()[2:] == [
        "| rtx4090-x | sft | NVIDIA GeForce RTX 4090 | 2048 | 8.8 | 8.0 | +10 % | 8.5 | 10.0 | 12.5 | -20 % |",
        "| l4-x | rl | NVIDIA L4 | 1536 | 6.0 | – | – | – | 7.0 | – | – |",
    ]
    assert [row["profile"] for row in read_jsonl(tmp_path / "measured-peaks.jsonl")] == ["rtx4090-x", "l4-x"]


def test_a_second_measurement_takes_the_place_of_the_first(tmp_path):
    write_peaks([ROW], tmp_path)
    better = Measured(**{**vars(ROW), "shown": 10.0})
    table = write_peaks([better], tmp_path)
    assert [row["shown"] for row in read_jsonl(tmp_path / "measured-peaks.jsonl")] == [10.0]
    assert table.read_text().count("rtx4090-x") == 1


@pytest.mark.slow
def test_the_measurement_runs_a_profile_at_its_lengths(tmp_path):
    """On a CPU with a small model, where there is no peak to read: all of the way that a GPU's goes."""
    name = "l4-llama3.2-3b"
    model = write_like(load_profile(name).model.name, tmp_path / "model")
    sizes = [word for word in SMALL if "batch" in word or "step=" in word or "generations" in word]
    lengths = (
        "model.max_length=512",
        "rl.max_prompt_length=400",
        "rl.max_completion_length=32",
        "evaluation.max_new_tokens=16",
    )
    rows = measure(name, tmp_path, "none", 24 * GIB, (f"model.name={model}", *sizes, *lengths))
    assert [row.stage for row in rows] == ["sft", "rl"]
    learned, improved = rows
    assert 380 <= learned.tokens <= 512 and 380 <= improved.tokens <= 432
    assert improved.tokens > 360 + 32
    for row in rows:
        assert 0 < row.estimated_tensors < row.estimated < 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_stage_without_a_gpu_tells_the_most_that_its_process_held():
    held = bytearray(200 * 2**20)
    peak = peak_memory()
    assert list(peak) == ["peak_rss_gib"] and len(held) / GIB < peak["peak_rss_gib"] < 64
    del held
    assert peak_memory()["peak_rss_gib"] >= peak["peak_rss_gib"]
