"""How fast a machine is: rates of a GPU by its data sheet and by what others measured on such, or learned from a run.

Every efficiency is here, as slowest and fastest, with its source or `assumed`: the interval of the hours comes from it.
"""

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from budget.gpus import Gpu
from configs.errors import ConfigError
from configs.explain import dotted
from configs.files import read_json
from configs.schema import Model

TRAINING_SHARE = {
    **dict.fromkeys(("rtx4090", "rtx3090", "l4"), (0.25, 0.60)),
    **dict.fromkeys(("a100-40", "a100-80"), (0.20, 0.52)),
    **dict.fromkeys(("h100", "h200"), (0.15, 0.45)),
}
"""Of the peak, in training.  A100: 0.20 to 0.52 for Qwen 1.8B to 14B with LoRA and Q-LoRA at 2,048 and 8,192 tokens a
micro-batch (Qwen's README, "Profiling of Memory and Speed").  The others assumed around it, not measured: where the
peak is lower beside the bandwidth, more of it is reached."""
READING_SHARE = (0.20, 0.60)
"""Of the peak, in forward passes.  Assumed."""
LAYER_PASS_S = (0.0008, 0.0055)
"""For a layer of a micro-batch, forward and back, however small it is: the kernels' launches.  Highest: 24 layers of
Qwen-1.8B at 256 tokens took 0.125 s on an A100 (Qwen's README).  The lowest, with fused kernels, is assumed."""
LAYER_STEP_S = {"none": (0.0006, 0.0016), "8bit": (0.0010, 0.0045), "4bit": (0.0010, 0.0030)}
"""For a layer of a token step in transformers: launches, and making 4 bit into 16.  bitsandbytes' benchmarking README,
Llama-3.1-8B (32 layers), batches of 1 to 32 on RTX 4090 and H100, in ms a layer: bfloat16 0.66–0.95, NF4 with double
quantisation 0.55–1.80, int8 1.40–2.70.  That is without an adapter, for which the highest is raised by two thirds;
Unsloth's own kernels may be below the lowest.  Assumed in this."""
VLLM_LAYER_STEP_S = {"none": (0.0001, 0.0003), "8bit": (0.0002, 0.0010), "4bit": (0.0003, 0.0015)}
"""The same in vLLM, whose CUDA graphs need no launches one by one.  Assumed, not measured."""
BANDWIDTH_SHARE = (0.5, 0.85)
"""Of the bandwidth, in reading weights, keys and values: 0.75 for Llama-3.1-8B in bfloat16 on an RTX 4090 (the same
README, 21.1 ms for 16.06 GB); around it assumed."""
START_S = (40.0, 150.0)
"""Of a stage: imports, loading from disk onto the GPU, compiling kernels.  Assumed."""
VLLM_START_S = (60.0, 240.0)
"""Of vLLM's engine on top: profiling and CUDA graphs.  Assumed."""
FASTEST, LONGEST_S = 1e18, 1e6
"""Operations or bytes a second, and seconds, beyond which a file of a learned speed is wrong."""
DOWNLOAD_BYTES_S = (30e6, 300e6)
"""From the model hub, once.  Assumed: 0.24 to 2.4 Gbit/s."""


CURE = "write it with python -m budget calibrate RUN"


class Rate(BaseModel, extra="forbid", frozen=True):
    """A rate or a duration, from its slow end to its fast one."""

    slow: float = Field(ge=0, allow_inf_nan=False)
    fast: float = Field(ge=0, allow_inf_nan=False)


class Speed(BaseModel, extra="forbid", frozen=True):
    """What a machine does with one model's kind of weights."""

    name: str
    """Of the GPU, or of what it was learned from."""
    training: Rate
    """Floating-point operations a second."""
    reading: Rate
    """The same in forward passes over many tokens at once."""
    making: Rate
    """The same in making tokens, one a row."""
    bandwidth: Rate | None = None
    """Bytes of weights, keys and values a second; none: it doesn't bind."""
    layer_pass_s: Rate = Rate(slow=0, fast=0)
    """Least seconds of a layer for a micro-batch of training."""
    layer_step_s: Rate = Rate(slow=0, fast=0)
    """Least seconds of a layer for a token step."""
    start_s: Rate = Rate(slow=0, fast=0)
    """Seconds until a stage's work begins."""
    download: Rate | None = None
    """Bytes a second of weights that are not there yet; none: they are."""
    said: tuple[str, ...] = ()
    """What it rests on, in words."""


def speed_of(gpu: Gpu, model: Model) -> Speed:
    """Return the speed that a GPU's data sheet and others' measurements make likely."""
    peak = gpu.tflops * 1e12
    step = (VLLM_LAYER_STEP_S if model.vllm else LAYER_STEP_S)[model.quantization]
    return Speed(
        name=gpu.name,
        training=_share(peak, TRAINING_SHARE[gpu.name]),
        reading=_share(peak, READING_SHARE),
        making=_share(peak, READING_SHARE),
        bandwidth=_share(gpu.bandwidth_gb_s * 1e9, BANDWIDTH_SHARE),
        layer_pass_s=Rate(slow=LAYER_PASS_S[1], fast=LAYER_PASS_S[0]),
        layer_step_s=Rate(slow=step[1], fast=step[0]),
        start_s=Rate(slow=START_S[1], fast=START_S[0]),
        download=Rate(slow=DOWNLOAD_BYTES_S[0], fast=DOWNLOAD_BYTES_S[1]),
        said=("efficiencies from others' measurements, or assumed; not measured here",),
    )


def read_speed(path: Path) -> Speed:
    """Return the speed that `python -m budget calibrate` wrote; ConfigError where the file is none."""
    if path.is_dir():
        path = path / "speed.json"
    if path.exists() and not path.is_file():
        raise ConfigError(f"--speed {path}: no file; {CURE}")
    data = read_json(path)
    try:
        speed = Speed.model_validate(data.get("speed", data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"--speed {path}: {dotted(first['loc'])}: {first['msg']}; {CURE}") from None
    rates = (speed.training, speed.reading, speed.making, *(each for each in (speed.bandwidth, speed.download) if each))
    if any(not 1 <= rate.slow <= rate.fast <= FASTEST for rate in rates):
        raise ConfigError(f"--speed {path}: a rate is no machine's, or faster at its slow end; {CURE}")
    if any(not rate.fast <= rate.slow <= LONGEST_S for rate in (speed.start_s, speed.layer_pass_s, speed.layer_step_s)):
        raise ConfigError(f"--speed {path}: a time is no machine's, or shorter at its slow end; {CURE}")
    return speed


def _share(peak: float, share: tuple[float, float]) -> Rate:
    return Rate(slow=share[0] * peak, fast=share[1] * peak)
