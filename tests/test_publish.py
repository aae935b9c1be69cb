"""`--push`: what arrives at a hub, from the real client, and what happens when the hub says no."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml

from configs.errors import ConfigError
from configs.files import PARTIAL, read_json, read_jsonl, write_json, write_jsonl
from configs.schema import Config
from distill.__main__ import main
from distill.card import card
from distill.parquet import to_parquet, write_parquet
from distill.publish import distill_and_push, publish
from tests.hub import TOKEN, hub
from tests.processes import ROOT
from tests.test_distill import write_corpus

PARTS = ("validation", "L1"), ("train", "L1"), ("train", "L4"), ("far-out", "L1")
NO_XET = {"HF_HUB_DISABLE_XET": "1"}  # its storage is a protocol of its own, in hf_xet; without it the client uses LFS


def push(config: Path, url: str, *words: str) -> subprocess.CompletedProcess:
    """Run the stage as people do, with a home of its own, so that no token of theirs is found."""
    home = {"HF_HOME": str(config.parent / "hf"), "HF_TOKEN": TOKEN, "HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0"}
    environment = dict(os.environ) | home | NO_XET | {"PLANQL_CACHE": str(config.parent / "cache")}
    command = [sys.executable, "-m", "distill", str(config), *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def rows_of(content: bytes) -> list[dict]:
    return pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()


@pytest.mark.slow
def test_a_run_is_pushed_as_one_commit_without_paths_or_token(tmp_path):
    config = write_corpus(tmp_path)
    with hub() as here:
        done = push(config, here.url, "--push", "plans", "--private")
        assert done.returncode == 0, done.stderr
        again = push(config, here.url, "--push", "ann/plans")
        assert again.returncode == 0 and "finished" in again.stderr, again.stderr
    assert f"distill: 10 traces → {here.url}/datasets/ann/plans" in done.stderr
    assert [(made["name"], made["type"], made.get("visibility")) for made in here.created] == [
        ("plans", "dataset", "private"), ("plans", "dataset", None)
    ]  # fmt: skip
    (title, files), (_, files_again) = here.commits
    assert title == "10 traces of tiny"
    assert files == files_again
    assert set(files) == {"README.md", "stats.json", "data/train.parquet", "data/validation.parquet"}
    folder = tmp_path / "runs" / "tiny" / "distill"
    traces = read_jsonl(folder / "traces.jsonl")
    assert pyarrow.parquet.read_table(folder / "traces.parquet").to_pylist() == traces
    for split in ("train", "validation"):
        wanted = [row | {"database": Path(row["database"]).stem} for row in traces if row["split"] == split]
        assert rows_of(files[f"data/{split}.parquet"]) == wanted
    assert {row["database"] for row in traces} & {"alps", "nile", "coast", "plain"} == set()  # paths, on this machine

    assert json.loads(files["stats.json"])["train"]["delivered"] == 8
    secrets = (str(tmp_path), str(Path.home()), TOKEN)
    for content in files.values():
        assert not [secret for secret in secrets if secret.encode() in content]
    assert all(TOKEN.encode() not in body and TOKEN not in path for _, path, _, body in here.requests)
    for _, path, headers, _ in here.requests:
        carried = {name for name, value in headers.items() if TOKEN in value}
        assert carried <= (set() if path.startswith("/storage/") else {"authorization"}), path
    assert not files_with(TOKEN, tmp_path) and TOKEN not in done.stderr + done.stdout
    check_datasets_reads(tmp_path / "hub", files, traces)


def check_datasets_reads(folder: Path, files: dict[str, bytes], traces: list[dict]) -> None:
    """Load the dataset as its card says it is laid out."""
    from datasets import load_dataset

    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    loaded = load_dataset(str(folder), cache_dir=str(folder / ".cache"))
    assert set(loaded) == {"train", "validation"}
    asked = [row["question"] for row in traces if row["split"] == "train"]
    assert loaded["train"]["question"] == asked
    assert loaded["train"][0]["messages"][-1]["role"] == "assistant"


def test_the_hub_is_tried_before_anything_is_paid_for(tmp_path, online, monkeypatch, capsys):
    config = write_corpus(tmp_path)

    def said(*words: str) -> str:
        assert main([str(config), *words]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and TOKEN not in told and "hf_other" not in told
        return told

    with hub() as here:
        online(here.url)
        assert "--push a/b/c: Repo id must" in said("--push", "a/b/c")
        assert "it goes with --push REPO" in said("--private")
        monkeypatch.setenv("HF_TOKEN", "hf_other")
        assert "--push ann/plans: Invalid user token" in said("--push", "ann/plans")
        monkeypatch.setenv("HF_TOKEN", "")
        assert "there is no Hugging Face token; set HF_TOKEN" in said("--push", "ann/plans")
    assert not here.created
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    online("http://127.0.0.1:9")
    assert "refused" in said("--push", "ann/plans")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "unset the `HF_HUB_OFFLINE`" in said("--push", "ann/plans")
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def run(tmp_path) -> Config:
    """The folder of a finished stage, with text that Markdown, a terminal or a curious reader could misuse."""
    cfg = Config(name="made", runs=str(tmp_path / "runs"))
    answer = "<think>\nopen city ``` \n---\n</think>\n<sql>\nSELECT '| x |' FROM city\n</sql>"
    traces = [
        {"task_id": f"t-{number}", "split": split, "level": level, "database": f"{tmp_path}/databases/alps.sqlite",
         "question": "# Is | <b>it</b> [x](http://y) ```?\n---", "evidence": None if number else "hint",
         "messages": [{"role": "assistant", "content": answer}], "teacher": f"{tmp_path}/models/small.gguf"}
        for number, (split, level) in enumerate(PARTS)
    ]  # fmt: skip
    teacher = {"teacher": "openai", "model": f"{tmp_path}/models/small.gguf", "base_url": "http://10.0.0.7:8000/v1"}
    stats = {
        "teacher": teacher | {"options": {"hf_token": TOKEN}},
        "questions_left_out": {f"too near to {tmp_path}/dev.json": 3},
        "input_tokens": 1234, "output_tokens": 99, "dollars": 1.5,
    }  # fmt: skip
    write_jsonl(cfg.folder / "distill" / "traces.jsonl", traces)
    write_jsonl(cfg.folder / "distill" / "rejected.jsonl", [{"reason": "a|b"}, {"reason": "form"}, {"reason": "a|b"}])
    write_json(cfg.folder / "distill" / "stats.json", stats)
    write_json(cfg.folder / "distill" / "state.json", {"commit": "abc123"})
    return cfg


def test_every_value_in_the_card_is_text(run, online):
    with hub() as here:
        online(here.url)
        publish(run, run.folder / "distill", "ann/plans")
    ((_, files),) = here.commits
    assert set(files) == {
        "README.md",
        "stats.json",
        *(f"data/{name}.parquet" for name in ("train", "validation", "far_out")),
    }
    text = files["README.md"].decode()
    _, front, body = text.split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["license"] == "apache-2.0" and matter["size_categories"] == ["n<1K"]
    splits = {file["split"]: file["path"] for file in matter["configs"][0]["data_files"]}
    assert splits == {name: f"data/{name}.parquet" for name in ("train", "validation", "far_out")}
    assert (
        "`task_id`, `split`, `level`," in body
        and "| train | 1 | 1 | 2 | 1 |" in body
        and "| far\\_out | 1 | 0 | 1 | 1 |" in body
    )
    assert "3 answers were rejected" in body and "| a\\|b | 2 |" in body
    assert "> \\# Is \\| \\<b\\>it\\</b\\> \\[x\\](http://y) \\`\\`\\`? ---\n" in body
    assert "\n````\n<think>\nopen city ``` \n---\n" in body and "\n</sql>\n````\n" in body
    assert "| cost | $1.50 |" in body and "| tokens | 1,234 read, 99 written |" in body and "commit abc123" in body
    assert json.loads(files["stats.json"])["questions_left_out"] == {"too near to dev.json": 3}
    for secret in ("10.0.0.7", str(run.folder.parents[1]), TOKEN):
        assert not [name for name, content in files.items() if secret.encode() in content]
    assert rows_of(files["data/train.parquet"])[0]["evidence"] is None
    assert {(row["database"], row["teacher"]) for row in rows_of(files["data/train.parquet"])} == {
        ("alps", "small.gguf")
    }


def test_the_card_says_whose_questions_and_which_teacher(run):
    rows = {"train": read_jsonl(run.folder / "distill" / "traces.jsonl")}
    stats = read_json(run.folder / "distill" / "stats.json")

    def told(**sections: dict) -> str:
        cfg = Config.model_validate({"name": "made"} | sections)
        return card(cfg, "ann/plans", rows, {}, stats, "")

    assert "planql's own sample" in told() and "No answer was rejected." in told() and "commit" not in told()
    hosted = told(distill={"teacher": "openai", "model": "big_one"}, data={"source": "spider", "path": "/home/ann/x"})
    assert "| teacher | big\\_one |" in hosted and "cc-by-sa-4.0" in hosted and "/home/ann" not in hosted
    local = told(distill={"teacher": "llamacpp", "model": "/home/ann/models/small.gguf"})
    assert "| teacher | small.gguf |" in local
    own = told(data={"source": "jsonl", "path": "/home/ann/x.jsonl"})
    assert "license:" not in own and "its publisher has to say" in own and "/home/ann" not in own


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/repos/create", 403, "403"),
        ("/datasets/ann/plans.git/info/lfs/objects/batch", 403, "403"),
        ("/storage/", 403, "403"),
        ("/api/datasets/ann/plans/commit/main", 400, "Bad request"),
    ],
)
def test_a_push_that_fails_is_one_line_and_changes_nothing(path, status, said, run, online):
    before = {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()}
    with hub({path: status}) as here:
        online(here.url)
        with pytest.raises(ConfigError, match=f"--push ann/plans: .*{said}.*nothing is lost") as failed:
            publish(run, run.folder / "distill", "ann/plans")
        assert not here.commits
        assert TOKEN not in str(failed.value) and "\n" not in str(failed.value) and "\x1b" not in str(failed.value)
        here.refuses.clear()
        publish(run, run.folder / "distill", "ann/plans")
        assert len(here.commits) == 1
    assert {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()} == before


def test_nothing_is_pushed_of_a_run_without_traces(run, online):
    write_jsonl(run.folder / "distill" / "traces.jsonl", [])
    with pytest.raises(ConfigError, match="there is nothing to send"):
        publish(run, run.folder / "distill", "ann/plans")
    with pytest.raises(ConfigError, match="--private: of which dataset"):
        distill_and_push(run, False, push=None, private=True)


def test_parquet_has_the_rows_and_is_whole_or_not_there(tmp_path, monkeypatch):
    rows = [{"a": "ü", "b": [{"role": "user"}]}, {"a": "x", "b": [], "only here": 1.5}]
    write_parquet(tmp_path / "rows.parquet", rows)
    wanted = [row | {"only here": row.get("only here")} for row in rows]
    assert pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist() == wanted
    first = hashlib.sha256((tmp_path / "rows.parquet").read_bytes()).digest()

    def killed(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_parquet(tmp_path / "rows.parquet", rows[:1])
    assert hashlib.sha256((tmp_path / "rows.parquet").read_bytes()).digest() == first
    assert not list(tmp_path.glob(f".*{PARTIAL}*"))


def test_parts_of_one_dataset_have_one_schema():
    first, second = to_parquet([[{"evidence": None}], [{"evidence": "text"}, {"evidence": None}]])
    assert rows_of(first) == [{"evidence": None}]
    assert rows_of(second) == [{"evidence": "text"}, {"evidence": None}]
    schemas = {pyarrow.parquet.read_schema(io.BytesIO(content)) for content in (first, second)}
    assert len(schemas) == 1
