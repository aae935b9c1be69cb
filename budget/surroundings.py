"""What stands around a run: the hub and its token, variables that libraries read on import, the sandbox's walls."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from budget.disk import to_download
from budget.findings import Finding
from configs.schema import Config
from sandbox.doctor import examine

ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""Two names of one variable: https://docs.pytorch.org/docs/stable/cuda_environment_variables.html"""
EXPANDABLE = "expandable_segments:True"
TRUE = {"1", "on", "yes", "true"}


def on_hub(cfg: Config) -> list[str]:
    """Return the names of the model and the data that the hub is asked for, those in its cache left out."""
    names = []
    model, data = cfg.model.name, cfg.data
    if to_download(model):
        names.append(model)
    if data.source == "gretel" and data.path and not Path(data.path).exists() and not _data_cached(data.path):
        names.append(data.path)
    return names


def check_token(cfg: Config) -> Finding:
    """Return whether there is a Hugging Face token where the run may want one; the token itself is never shown."""
    names = ", ".join(on_hub(cfg))
    if not names:
        return Finding("hub token", "ok", "not needed: model and data are on this machine")
    if not find_spec("huggingface_hub"):
        return Finding("hub token", "fail", f"{names}: huggingface_hub is not installed", "make install")
    from huggingface_hub import get_token

    if get_token():
        return Finding("hub token", "ok", f"there is one, for {names}")
    cure = "set HF_TOKEN, or run `hf auth login`; what is public and not gated needs none"
    return Finding("hub token", "warning", f"none, for {names}", cure)


def check_environment(variables: Mapping[str, str], cfg: Config, has_gpu: bool) -> Iterator[Finding]:
    """Yield a finding for each variable whose value hurts this run; one that says so where none does."""
    found = [*_hub_variables(variables, cfg), *_allocator_variables(variables, cfg, has_gpu)]
    if variables.get("TOKENIZERS_PARALLELISM", "").lower() in TRUE:
        # tokenizers' threads don't live on in forked workers: https://github.com/huggingface/transformers/issues/5486
        text = "TOKENIZERS_PARALLELISM is on: data loaders that fork may hang"
        found.append(Finding("environment", "warning", text, "unset TOKENIZERS_PARALLELISM"))
    yield from found or [Finding("environment", "ok", "no variable is set that hurts this run")]


def check_sandbox() -> Finding:
    """Return how many of the sandbox's walls stand, each tried."""
    walls = examine()
    off = [wall for wall in walls if not wall.on]
    names = ", ".join(wall.layer for wall in off)
    found = f"{len(walls) - len(off)} of {len(walls)} walls stand{names and f'; off: {names}'}"
    if any(wall.needed for wall in off):
        return Finding("sandbox", "fail", found, "python -m sandbox doctor")
    return Finding("sandbox", "warning" if off else "ok", found, "python -m sandbox doctor" if off else "")


def _data_cached(name: str) -> bool:
    """Tell whether the hub's cache has something of a data set."""
    if not find_spec("huggingface_hub"):
        return False
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.file_download import repo_folder_name

    return Path(HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type="dataset"), "snapshots").is_dir()


def _hub_variables(variables: Mapping[str, str], cfg: Config) -> Iterator[Finding]:
    """https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables#hfhuboffline"""
    offline = variables.get("HF_HUB_OFFLINE", "").lower() in TRUE
    if offline and (names := on_hub(cfg)):
        text = f"HF_HUB_OFFLINE is set, and not in the cache: {', '.join(names)}"
        yield Finding("environment", "fail", text, "unset HF_HUB_OFFLINE, or download it first: hf download NAME")


def _allocator_variables(variables: Mapping[str, str], cfg: Config, has_gpu: bool) -> Iterator[Finding]:
    """The allocator reads its variable once, when torch is imported.

    expandable_segments: https://docs.pytorch.org/docs/stable/notes/cuda.html#optimizing-memory-usage-with-pytorch-alloc-conf
    It does not go with the memory pool of vLLM's sleep mode: https://github.com/pytorch/pytorch/issues/147851
    Unsloth (unsloth_zoo/__init__.py) sets it where neither variable is set and Standby is off.
    """
    sleeps = cfg.model.vllm and variables.get("UNSLOTH_VLLM_STANDBY", "1") != "0"  # we set it for vLLM
    expandable = [name for name in ALLOCATOR if EXPANDABLE in variables.get(name, "")]
    if sleeps and expandable:
        text = f"{' and '.join(expandable)} has {EXPANDABLE}, which vLLM's sleep cannot have: Unsloth takes it out"
        yield Finding("environment", "warning", text, f"unset {' '.join(expandable)}")
    if not cfg.model.vllm and variables.get("UNSLOTH_VLLM_STANDBY", "0") != "0":
        text = "UNSLOTH_VLLM_STANDBY is set without model.vllm: Unsloth then leaves the GPU's memory in pieces"
        yield Finding("environment", "warning", text, "unset UNSLOTH_VLLM_STANDBY")
    if has_gpu and not expandable and cfg.model.backend == "transformers":
        text = f"without {EXPANDABLE} the GPU's memory may break into pieces too small to use"
        yield Finding("environment", "warning", text, f"export {ALLOCATOR[0]}={EXPANDABLE}")
