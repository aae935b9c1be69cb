"""The GPUs that a run is planned for: what a process gets of their memory, and what the vendor says of their speed."""

from dataclasses import dataclass

MIB = 2**20
USABLE = 0.985
"""Share of the memory in nvidia-smi that CUDA hands out: 23.64 GiB (3DTopia/Phidias-Diffusion#8) of an RTX 4090's
24,564 MiB (RLinf/RLinf#255); taken for the others, too."""


@dataclass(frozen=True)
class Gpu:
    """One GPU."""

    name: str
    """As it is given on the command line."""
    title: str
    memory_bytes: int
    """What a process gets: USABLE of what the driver shows."""
    tflops: float
    """10¹² floating-point operations a second at most: dense bfloat16 on tensor cores, sums in float32."""
    bandwidth_gb_s: float
    """10⁹ bytes a second between the GPU and its memory."""
    source: str
    """Of tflops and bandwidth; figures with sparsity are halved."""


def _gpu(name: str, title: str, memory_mb: int, tflops: float, bandwidth_gb_s: float, source: str) -> Gpu:
    return Gpu(name, title, round(USABLE * memory_mb) * MIB, tflops, bandwidth_gb_s, source)


# MiB by nvidia-smi: RLinf/RLinf#255 (RTX 4090), noonghunna/club-3090#1129 (RTX 3090), modal-labs/modal-client#2797
# (L4, A100, H100); the H200's 143,771 stands in many logs.
OWN = "this"
"""Name of the machine at hand, which costs nothing."""
GPUS: dict[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        _gpu("rtx4090", "RTX 4090", 24_564, 165.2, 1008, "NVIDIA Ada GPU Architecture whitepaper, appendix A"),
        _gpu("rtx3090", "RTX 3090", 24_576, 71.0, 936, "NVIDIA Ampere GA102 whitepaper, appendix A"),
        _gpu("l4", "L4", 23_034, 121.0, 300, "NVIDIA L4 data sheet, 242 with sparsity"),
        _gpu("a100-40", "A100 40 GB", 40_960, 312.0, 1555, "NVIDIA A100 data sheet"),
        _gpu("a100-80", "A100 80 GB", 81_920, 312.0, 1935, "NVIDIA A100 data sheet, PCIe (SXM: 2,039 GB/s)"),
        _gpu("h100", "H100 SXM", 81_559, 989.5, 3350, "NVIDIA H100 data sheet, SXM, 1,979 with sparsity"),
        _gpu("h200", "H200 SXM", 143_771, 989.5, 4800, "NVIDIA H200 data sheet, SXM, 1,979 with sparsity"),
    )
}


def gpu_called(title: str, memory_mb: int) -> Gpu | None:
    """Return the GPU that a driver's name and MiB stand for; None where it is not in the table.

    >>> gpu_called("NVIDIA A100-SXM4-80GB", 81920).name, gpu_called("NVIDIA L40S", 46068)
    ('a100-80', None)
    """
    words = title.upper().replace("-", " ").split()
    for gpu in GPUS.values():
        model = gpu.title.split()[1 if gpu.title.startswith("RTX") else 0]
        if model in words and abs(memory_mb * MIB * USABLE / gpu.memory_bytes - 1) < 0.05:
            return gpu
    return None
