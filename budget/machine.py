"""The GPU, its driver, and whether torch and bitsandbytes can compute on what is there."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from budget.findings import Finding
from configs.schema import Config

GIB = 2**30
PROBE = Path(__file__).with_name("probe.py")
PROBE_TIMEOUT_S = 120
TOLERANCE = 0.2
"""Norm of the error over norm of the result: NF4 of normal weights is off by 0.1, garbage by 1.4."""
ASK_DRIVER = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits")
CUDA_TORCH = (
    "install torch's CUDA build, and a driver that is new enough for it: https://pytorch.org/get-started/locally"
)


@dataclass(frozen=True)
class Probed:
    """What the probe said, as JSON: of torch and the GPUs, and of bitsandbytes; an `error` where there is no more."""

    torch: dict
    four_bit: dict


def probe(command: tuple[str, ...] = (sys.executable, "-P", str(PROBE)), timeout_s: float = PROBE_TIMEOUT_S) -> Probed:
    """Return what torch and bitsandbytes do in a process of their own, which may crash or hang."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
        output, end = done.stdout, f"ended with status {done.returncode} and said: {_last_line(done.stderr)}"
    except subprocess.TimeoutExpired as error:
        output, end = error.stdout or b"", f"gave no answer in {timeout_s:g} s"
    answers = [json.loads(line) for line in output.splitlines() if line.startswith(b"{") and line.endswith(b"}")]
    answers += [{"error": end}] * (2 - len(answers))
    return Probed(*answers[:2])


def driver() -> list[tuple[str, str, int]]:
    """Return name, driver version and MiB of each NVIDIA GPU that the driver shows; none where there is no driver."""
    try:
        done = subprocess.run(ASK_DRIVER, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return gpus_of(done.stdout) if done.returncode == 0 else []


def gpus_of(output: str) -> list[tuple[str, str, int]]:
    """Return what nvidia-smi said as CSV; lines of another form are left out.

    >>> gpus_of("NVIDIA H100 80GB HBM3, 570.86.15, 81559\\nNo devices were found")
    [('NVIDIA H100 80GB HBM3', '570.86.15', 81559)]
    """
    rows = [line.rsplit(", ", 2) for line in output.splitlines()]
    return [(row[0], row[1], int(row[2])) for row in rows if len(row) == 3 and row[2].strip().isdigit()]


def check_gpus(probed: dict, shown: list[tuple[str, str, int]], cfg: Config | None) -> Iterator[Finding]:
    """Yield a finding for the driver, and one for each GPU that torch can use.

    probed: the first answer of the probe.
    shown: the answer of `driver`.
    """
    names = ", ".join(f"{name}, {memory / 1024:.0f} GiB" for name, _, memory in shown)
    if shown:
        yield Finding("driver", "ok", f"NVIDIA {shown[0][1]}: {names}")
    if not probed.get("gpus"):
        yield _no_gpu(probed, bool(shown), cfg)
    for index, gpu in enumerate(probed.get("gpus", [])):
        yield check_gpu(index, gpu, probed["built_for"], cfg)


def check_gpu(index: int, gpu: dict, built_for: list[str], cfg: Config | None) -> Finding:
    """Return whether the torch at hand, and the run, can use this GPU."""
    name = f"GPU {index}"
    major, minor = gpu["capability"]
    free, total = gpu["free"] / GIB, gpu["total"] / GIB
    found = f"{gpu['name']}, compute capability {major}.{minor}, {total:.1f} GiB, {free:.1f} GiB free"
    if not runs_on(built_for, major, minor):
        return Finding(name, "fail", f"{found}; torch is built for {', '.join(built_for)}", CUDA_TORCH)
    if cfg and cfg.model.dtype == "bfloat16" and major < 8:
        return Finding(name, "warning", f"{found}; bfloat16 is emulated below 8.0", "model.dtype=float16")
    if cfg and cfg.model.vllm and free < cfg.model.vllm_memory * total:
        asked = cfg.model.vllm_memory * total
        cure = f"end what holds it, or model.vllm_memory={max(free / total - 0.05, 0.05):.2f}"
        return Finding(name, "fail", f"{found}; vLLM would take {asked:.1f} GiB", cure)
    if free < 0.9 * total:
        return Finding(name, "warning", f"{found}: the rest is held already", "nvidia-smi shows by which processes")
    return Finding(name, "ok", found)


def runs_on(built_for: list[str], major: int, minor: int) -> bool:
    """Tell whether a torch built for these runs on compute capability major.minor.

    Machine code (sm_) runs on its own and later minors of one major, PTX (compute_) on all later ones:
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/#binary-compatibility

    >>> runs_on(["sm_80", "sm_90"], 8, 9), runs_on(["sm_80", "sm_90"], 7, 5), runs_on(["compute_90"], 12, 0)
    (True, False, True)
    """
    for code in built_for:
        kind, _, number = code.partition("_")
        digits = number.rstrip("af")
        own = (int(digits[:-1]), int(digits[-1]))
        if own <= (major, minor) and (kind == "compute" or own[0] == major):
            return True
    return False


def check_four_bit(answer: dict, quantised: bool) -> Finding:
    """Return whether a 4-bit product and its gradient came out right.

    answer: the second one of the probe.
    quantised: whether the run needs it.
    """
    bad = "fail" if quantised else "warning"
    cure = "install the bitsandbytes that constraints.txt names; model.quantization=none does without it"
    if "error" in answer:
        return Finding("4-bit matmul", bad, answer["error"], cure)
    result, gradient = answer["result_off"], answer["gradient_off"]
    found = f"on {answer['device']}: result off by {result:.1%}, gradient by {gradient:.1%}, at most {TOLERANCE:.0%}"
    right = result <= TOLERANCE and gradient <= TOLERANCE  # NaN is not
    return Finding("4-bit matmul", "ok", found) if right else Finding("4-bit matmul", bad, found, cure)


def _no_gpu(probed: dict, driven: bool, cfg: Config | None) -> Finding:
    if "error" in probed:
        return Finding("GPU", "fail", f"torch: {probed['error']}", "make install")
    if driven:
        found = f"the driver shows one, but torch {probed['torch']} cannot use it: {probed['why']}"
        return Finding("GPU", "fail", found, f"{CUDA_TORCH}; CUDA_VISIBLE_DEVICES must not hide it")
    if cfg and cfg.model.vllm:
        return Finding("GPU", "fail", "none, and model.vllm needs one", "a machine with CUDA, or model.vllm=false")
    return Finding("GPU", "warning", "none: profiles for the CPU only", "")


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"
