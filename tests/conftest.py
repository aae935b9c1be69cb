"""What several test files share: a cache of this session's own, the stages as commands, and the tiny models."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configs.schema import Lora, Model

ROOT = Path(__file__).parents[1]
QUIET = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error"}
os.environ.update(QUIET)  # before anything imports torch or transformers


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Iterator[Path]:
    """A cache made by the code under test, not by an earlier version of it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANQL_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def run_stage(cache) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs one stage as people do: `run_stage("sft", CONFIG, "sft.micro_batch=2")`."""

    def run(stage: str, *words: object, timeout_s: float = 240) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", stage, *map(str, words)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s)

    return run


@pytest.fixture(scope="session")
def tiny() -> Model:
    """The model of random weights, in plain transformers and float32."""
    return Model(name="tiny", backend="transformers", quantization="none", dtype="float32", lora=Lora(r=4, alpha=8))


@pytest.fixture(scope="session")
def learner(tiny, tmp_path_factory) -> Model:
    """The tiny model with embeddings eight times as long, from a folder, and an adapter large enough to learn by heart.

    As it comes, its logits are too flat: with the embeddings frozen, no adapter could make one token likely.
    """
    from models.load import load_model

    folder = tmp_path_factory.mktemp("learner")
    model, tokenizer = load_model(tiny)
    model.get_input_embeddings().weight.data.mul_(8)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return tiny.model_copy(update={"name": str(folder), "lora": Lora(r=32, alpha=64), "max_length": 256})
