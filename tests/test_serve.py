"""models serve: the command that it becomes, and that what it serves answers as the export does."""

import importlib.util
import json
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from configs.errors import ConfigError
from models import serve
from models.__main__ import main
from tests.exported import make_run
from tests.processes import ROOT

SERVER = all(map(importlib.util.find_spec, serve.TRANSFORMERS_NEEDS))


def having(*packages: str):
    """Return a find_spec for which these packages are installed, and no other."""
    return lambda name: object() if name in packages else None


def test_vllm_is_first_and_greedy_unless_asked(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", having("vllm", *serve.TRANSFORMERS_NEEDS))
    command, model = serve.server_command(Path("runs/x/export/merged"), "x", "0.0.0.0", 9000, 320)
    assert Path(command[0]).name == "vllm" and command[1:3] == ["serve", "runs/x/export/merged"]
    options = dict(zip(command[3::2], command[4::2], strict=True))
    assert options["--host"] == "0.0.0.0" and options["--port"] == "9000" and options["--max-model-len"] == "320"
    assert options["--served-model-name"] == model == "x"
    assert json.loads(options["--override-generation-config"]) == {"temperature": 0.0}
    assert not any("chat-template" in word or "reasoning" in word for word in command)  # the folder's own is right


def test_transformers_server_is_next_and_what_lacks_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", having(*serve.TRANSFORMERS_NEEDS))
    command, model = serve.server_command(Path("a b/merged"), "x", "127.0.0.1", 8000, 320)
    assert Path(command[0]).name == "transformers"
    assert shlex.join(command[1:]) == "serve 'a b/merged' --host 127.0.0.1 --port 8000" and model == "a b/merged"
    with pytest.raises(ConfigError, match="reads @ in"):
        serve.server_command(Path("a@b"), "x", "127.0.0.1", 8000, 320)
    monkeypatch.setattr(importlib.util, "find_spec", having("uvicorn"))
    with pytest.raises(ConfigError, match=r"neither vLLM nor fastapi, .* is installed; pip install .*'\.\[serve\]'"):
        serve.server_command(Path("x"), "x", "127.0.0.1", 8000, 320)


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"), tiny)


@pytest.mark.skipif(not SERVER, reason="fastapi or uvicorn is not installed")
def test_a_dry_run_prints_the_command_and_makes_nothing(run, capsys):
    assert main(["serve", str(run), "--port", "9000", "--dry-run"]) == 0
    words = shlex.split(capsys.readouterr().out)
    assert words[1:] == ["serve", str(run / "export" / "merged"), "--host", "127.0.0.1", "--port", "9000"]
    assert not (run / "export").exists()


@pytest.mark.slow
@pytest.mark.skipif(not SERVER, reason="fastapi or uvicorn is not installed")
def test_what_is_served_answers_as_the_export(run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = ["serve", str(run), "--dtype", "float32", "--questions", "4", "--port", port]
    server = subprocess.Popen([sys.executable, "-m", "models", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        told = ""
        while "base_url" not in told:
            told = server.stderr.readline()
            assert told, "it ended before it served"
        model = told.partition(", model ")[2].partition(";")[0]
        assert f"base_url http://127.0.0.1:{port}/v1" in told and model == str(run / "export" / "merged")
        check_answers(f"http://127.0.0.1:{port}/v1/chat/completions", model)
    finally:
        server.kill()
        server.wait()


def check_answers(url: str, model: str) -> None:
    """Ask as a client would, without a temperature, and compare with the greedy answer to the same messages."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from models.answer import answers

    messages = [
        {"role": "system", "content": "Answer."},
        {"role": "user", "content": "city(id int)\nQuestion: How many?"},
    ]
    body = json.dumps({"model": model, "messages": messages, "max_tokens": 16}).encode()
    loaded, tokenizer = AutoModelForCausalLM.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    ((_, wanted),) = next(answers(loaded, tokenizer, [messages], max_new_tokens=16, batch_size=1))
    for _ in range(2):
        answer = json.loads(ask(url, body))["choices"][0]["message"]["content"]
        assert answer.strip() == wanted.text != ""


def ask(url: str, body: bytes) -> bytes:
    """Return the server's answer; waits a minute for it to start."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    for _ in range(120):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except ConnectionError:
            time.sleep(0.5)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.5)
    raise TimeoutError(url)
