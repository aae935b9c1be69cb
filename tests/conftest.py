"""What several test files share: caches, the stages as commands, the tiny models, and two small databases."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from configs import folder
from configs.schema import Lora, Model
from sandbox import database_file
from tasks.schema import Schema, read_schema
from tests import teacher
from tests.hub import TOKEN
from tests.processes import ROOT
from tests.shop import SHOP
from tests.singers import SCRIPT, made

QUIET = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error"}
EXACT = {"OMP_NUM_THREADS": "1"}  # threads split a sum now this way, now that, so that it is not the same twice
os.environ.update(QUIET | EXACT)  # before anything imports torch or transformers

settings.register_profile("planql", deadline=None)  # a busy machine is no error of ours
settings.load_profile("planql")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Iterator[Path]:
    """A cache made by the code under test, not by an earlier version of it."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANQL_CACHE", str(path))
        yield path


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache for one test."""
    monkeypatch.setenv("PLANQL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def fresh_process(monkeypatch) -> None:
    """The test is as a process of its own that runs `python -m STAGE run.yaml`: nothing locked, nothing begun."""
    monkeypatch.setattr(folder, "_locks", {})
    monkeypatch.setattr(folder, "_begun", {})
    monkeypatch.setattr(folder, "asked", "run.yaml")


@pytest.fixture
def online(monkeypatch, tmp_path):
    """Let the client of this process speak to a hub of ours, with our token."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return lambda url: monkeypatch.setattr(constants, "ENDPOINT", url)


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
def learner(tiny) -> Model:
    """The tiny model with an adapter large enough to learn a few traces by heart."""
    return tiny.model_copy(update={"lora": Lora(r=32, alpha=64)})


@pytest.fixture(scope="module")
def database(cache) -> Path:
    """Three singers and their songs, as a file."""
    return database_file(SCRIPT)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """Customers, products and what they bought of them, as a file."""
    return made(tmp_path_factory.mktemp("shop") / "shop.sqlite", SHOP)


@pytest.fixture(scope="module")
def schema(shop) -> Schema:
    """The shop's schema."""
    return read_schema(str(shop))


@pytest.fixture(scope="module")
def cities(tmp_path_factory) -> Path:
    """The database that the small server of tests.teacher knows the answers to."""
    return made(tmp_path_factory.mktemp("cities") / "cities.sqlite", teacher.SCRIPT)


@pytest.fixture
def server_key(monkeypatch) -> None:
    """The key that the small server wants."""
    monkeypatch.setenv("OPENAI_API_KEY", teacher.KEY)


@pytest.fixture(scope="module")
def reported(tmp_path_factory, shop) -> Path:
    """A finished run over the shop, see tests.reported."""
    from tests.reported import make_run  # which loads much

    return make_run(tmp_path_factory.mktemp("reported"), shop)


@pytest.fixture
def part_of(reported, tmp_path) -> Callable[..., Path]:
    """Return a function that makes a run with only the named files and folders of the whole one."""

    def copied(*names: str) -> Path:
        for name in names:
            copy = shutil.copytree if (reported / name).is_dir() else shutil.copy
            (tmp_path / "part" / name).parent.mkdir(parents=True, exist_ok=True)
            copy(reported / name, tmp_path / "part" / name)
        return tmp_path / "part"

    return copied
