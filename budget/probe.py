"""What only torch can say, in a process of its own: one line of JSON about the GPUs, one about bitsandbytes.

The doctor starts it by its path, with `python -P`; a crash here is a finding there.
"""

import json


def gpus() -> dict[str, object]:
    """Return torch's version and what it sees of each GPU: name, capability, bytes in all and free."""
    import torch

    found = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        capability = [properties.major, properties.minor]
        found.append({"name": properties.name, "capability": capability, "total": total, "free": free})
    known = {"torch": torch.__version__, "built_for": torch.cuda.get_arch_list(), "gpus": found}
    return known if found else known | {"why": _why_not()}


def _why_not() -> str:
    """Return what torch says when it is made to use CUDA all the same: an old driver, or a build for the CPU."""
    import torch

    try:
        torch.cuda.init()
    except (AssertionError, RuntimeError) as error:
        return str(error).partition("\n")[0]
    return "it sees no device"


def four_bit() -> dict[str, object]:
    """Return how far a 4-bit product and its gradient are off the float ones, as shares of their norms."""
    import bitsandbytes
    import torch
    from bitsandbytes.functional import quantize_4bit

    device = "cuda" if torch.cuda.is_available() else "cpu"
    chance = torch.Generator().manual_seed(0)
    weight = torch.randn(256, 256, generator=chance).to(device)
    given = torch.randn(8, 256, generator=chance).to(device).requires_grad_()
    packed, state = quantize_4bit(weight, quant_type="nf4")
    result = bitsandbytes.matmul_4bit(given, packed.t(), quant_state=state)
    result.sum().backward()
    exact = given.detach() @ weight.t()
    slope = weight.sum(0).expand(8, 256)
    return {
        "device": device,
        "result_off": float((result.detach() - exact).norm() / exact.norm()),
        "gradient_off": float((given.grad - slope).norm() / slope.norm()),
    }


if __name__ == "__main__":
    for look in (gpus, four_bit):
        try:
            print(json.dumps(look()), flush=True)
        except Exception as error:  # whatever it is, the doctor says it
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
