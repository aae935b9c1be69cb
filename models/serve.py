"""`python -m models serve`: the merged export behind an OpenAI-compatible server, of vLLM or of transformers."""

import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path

from configs.errors import ConfigError
from configs.screen import say

TRANSFORMERS_NEEDS = ("fastapi", "uvicorn", "openai")


def server_command(folder: Path, name: str, host: str, port: int, max_length: int) -> tuple[list[str], str]:
    """Return the command that serves `folder`, and the name that requests call the model by.

    vLLM where it is installed: it samples unless told, so greedy is made its default, and the answer form is not taken
    apart.  Otherwise transformers' own server, which takes one request after the other and calls a model by its folder.
    """
    if importlib.util.find_spec("vllm"):
        greedy = json.dumps({"temperature": 0.0})
        options = ["--served-model-name", name, "--max-model-len", str(max_length)]
        options += ["--generation-config", "auto", "--override-generation-config", greedy]
        return [_program("vllm"), "serve", str(folder), "--host", host, "--port", str(port), *options], name
    missing = [package for package in TRANSFORMERS_NEEDS if importlib.util.find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"serve: neither vLLM nor {missing[0]}, which transformers' server needs, is installed; "
            "pip install -c constraints.txt -e '.[serve]' or, on a GPU, '.[gpu]'"
        )
    if "@" in str(folder):
        raise ConfigError(f"serve: transformers' server reads @ in {folder} as a revision; give --out without one")
    return [_program("transformers"), "serve", str(folder), "--host", host, "--port", str(port)], str(folder)


def hand_over(command: list[str], model: str, host: str, port: int) -> None:
    """Become the server; says first how to reach it."""
    say(f"models: {shlex.join(command)}")
    url = f"http://{host}:{port}/v1"
    say(f"models: base_url {url}, model {model}; ctrl-c ends it")
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}  # a request can't make it load another one
    os.execvp(command[0], command)


def _program(name: str) -> str:
    """Return a program of this Python's environment, or else of PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name
