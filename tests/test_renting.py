"""What renting needs: SkyPilot's and accelerate's files, the Dockerfile, the guide; and an eviction rehearsed here."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from configs.files import read_json
from configs.load import load_config
from tests.documents import missing_from
from tests.processes import ROOT

TASKS = sorted((ROOT / "configs" / "cloud").glob("*.yaml"))
LAUNCHES = {path.stem: path for path in (ROOT / "configs" / "accelerate").glob("*.yaml")}
RENT = ROOT / ".venv-rent" / "bin"
STAGES = ("distill", "sft", "rl", "evaluation")
installed = pytest.mark.skipif(not (RENT / "hadolint").exists(), reason="make rent installs SkyPilot and hadolint")

PARSE = """
import json, sys
import sky, yaml
from sky.clouds import CloudImplementationFeatures as Feature

given = [word.split("=") for word in sys.argv[2:]]
task = sky.Task.from_yaml_config(yaml.safe_load(open(sys.argv[1])), env_overrides=given)
rows = [
    {
        "accelerators": each.accelerators,
        "spot": each.use_spot,
        "recovery": each.job_recovery,
        "cannot": [feature.name for feature in each.cloud._unsupported_features_for_resources(each)],
    }
    for each in task.resources
]
mounts = task.storage_mounts.items()
mounts = {path: [each.name, each.mode.value, each.mount_cached_config.transfers] for path, each in mounts}
print(json.dumps({"resources": rows, "mounts": mounts}))
"""

HF = """
import fnmatch, pathlib, shutil, sys
verb, *words = sys.argv[2:]
if verb == "create":
    sys.exit()
without = [words[i + 1] for i, word in enumerate(words) if word == "--exclude"]
here, there = (pathlib.Path(word.replace("hf:/", "STORE")) for word in words[:2])
there.mkdir(parents=True, exist_ok=True)
def files(folder):
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {path for path in found if not any(fnmatch.fnmatch(path, each) for each in without)}
for path in files(here):
    (there / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(here / path, there / path)
for path in files(there) - files(here) if "--delete" in words else ():
    (there / path).unlink()
"""
"""A stand-in for `hf buckets`: a bucket is a folder under STORE."""


def parsed(path: Path, home: Path, *given: str) -> subprocess.CompletedProcess[str]:
    """Run SkyPilot's parser on a task file, with a home of its own, no network and no credentials."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    command = [str(RENT / "python"), "-c", PARSE, str(path), *given]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def test_all_files_were_found():
    assert [path.stem for path in TASKS] == ["h200", "l4", "rtx4090"]
    assert sorted(LAUNCHES) == ["1-gpu", "2-gpus", "8-gpus"]


@installed
@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_skypilot_takes_the_task_and_its_clouds_can_do_it(path, tmp_path):
    done = parsed(path, tmp_path, "BUCKET=planql-test")
    assert done.returncode == 0, done.stderr
    task = json.loads(done.stdout)
    catalog = next(RENT.parent.glob("lib/*/site-packages/sky/catalog"))
    known = "".join(path.read_text() for path in catalog.rglob("*.py"))
    assert all(set(each["accelerators"]) == {path.stem.upper()} for each in task["resources"])
    assert f"'{path.stem.upper()}'" in known
    assert any(each["spot"] for each in task["resources"])
    assert not any(each["spot"] and "SPOT_INSTANCE" in each["cannot"] for each in task["resources"])
    assert all(each["recovery"]["max_restarts_on_errors"] == 0 for each in task["resources"])
    mountable = ["STORAGE_MOUNTING" not in each["cannot"] for each in task["resources"]]
    if task["mounts"]:
        assert task["mounts"] == {"/planql": ["planql-test", "MOUNT_CACHED", 1]} and all(mountable)
    else:  # where nothing can be mounted, the task copies
        assert "hf buckets sync" in path.read_text() and not any(mountable)
    left = {found.name for found in (tmp_path / ".sky").rglob("*") if found.is_file()}
    assert left <= {"user_hash", ".lock"}, left


@installed
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BUCKET: planql-test", "BUCKET: null"),
        ("resources:", "resource:"),
        ("accelerators:", "acelerators:"),
        ("infra: gcp", "infra: gpc"),
        ("MOUNT_CACHED\n", "MOUNT_CASHED\n"),
    ],
)
def test_skypilot_refuses_a_broken_task(tmp_path, old, new):
    text = (ROOT / "configs" / "cloud" / "l4.yaml").read_text().replace("BUCKET: null", "BUCKET: planql-test")
    assert old in text
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace(old, new))
    done = parsed(broken, tmp_path)
    assert done.returncode and new.split(": ")[0].strip().rstrip(":") in done.stderr, done.stderr


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_a_task_runs_the_doctor_and_the_four_stages_of_a_profile_and_holds_no_secret(path):
    text = path.read_text()
    task = yaml.safe_load(text)
    said = re.findall(r"^python -m (.+)$", task["run"], re.MULTILINE)
    assert [shlex.split(line)[0] for line in said] == ["budget", *STAGES]
    for line in said[1:]:
        _, config, *overrides = shlex.split(line)
        assert config == "$CONFIG"
        cfg = load_config(ROOT / task["envs"]["CONFIG"], overrides)
        assert ("gpu" in task["envs"]["EXTRAS"].split(",")) == cfg.model.vllm
        assert not task.get("file_mounts") or cfg.folder.is_relative_to(*task["file_mounts"])
    assert set(task["secrets"].values()) == {None}
    assert not re.search(r"hf_\w{8}|AKIA|sk-\w{8}|BEGIN .*KEY", text)
    for script in (task["setup"], task["run"]):
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


@pytest.fixture
def machine(tmp_path):
    """Return a function that makes a new checkout with an `hf` whose buckets are folders in tmp_path/store."""

    def made(name: str) -> Path:
        folder = tmp_path / name
        (folder / ".venv" / "bin").mkdir(parents=True)
        for path in ROOT.iterdir():
            if path.is_dir() and (path / "__init__.py").exists():
                (folder / path.name).symlink_to(path)
        (folder / "hf.py").write_text(HF.replace("STORE", str(tmp_path / "store")))
        for command, words in {"python": "", "hf": f" {folder}/hf.py"}.items():
            script = folder / ".venv" / "bin" / command
            script.write_text(f'#!/bin/sh\nexec {sys.executable}{words} "$@"\n')
            script.chmod(0o755)
        return folder

    return made


def run_task(folder: Path, config: Path) -> subprocess.Popen[str]:
    """Start the `run:` of the 4090's task in a checkout, as SkyPilot would with bash."""
    task = yaml.safe_load((ROOT / "configs" / "cloud" / "rtx4090.yaml").read_text())
    given = {"CONFIG": str(config), "BUCKET": "hf://buckets/me/planql", "SAVE_EVERY_S": "1", "PYTHONPATH": "."}
    return subprocess.Popen(
        ["bash", "-c", task["run"]],
        cwd=folder,
        env=os.environ | given,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "said").open("w"),
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_machine_taken_away_in_mid_training_is_followed_by_one_that_goes_on(machine, tmp_path):
    chosen = yaml.safe_load((ROOT / "configs" / "smoke.yaml").read_text())
    chosen["sft"]["trainer"] |= {"max_steps": 24, "save_steps": 4}
    chosen["rl"]["trainer"] |= {"max_steps": 2}
    chosen["evaluation"]["questions"] = 6
    config = tmp_path / "smoke.yaml"
    config.write_text(yaml.safe_dump(chosen))
    saved = tmp_path / "store" / "buckets" / "me" / "planql" / "smoke" / "smoke"
    first = machine("first")
    process = run_task(first, config)
    deadline = time.monotonic() + 200
    try:
        while not list(saved.glob("sft/checkpoint-*/trainer_state.json")):
            assert process.poll() is None and time.monotonic() < deadline, (first / "said").read_text()
            time.sleep(0.05)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert read_json(saved / "sft" / "state.json")["status"] == "running"
    traces = (saved / "distill" / "traces.jsonl").read_bytes()

    second = machine("second")
    process = run_task(second, config)
    try:
        assert process.wait(timeout=280) == 0, (second / "said").read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    said = (second / "said").read_text()
    assert "distill is finished" in said and "from the checkpoint of step " in said, said
    assert all(read_json(saved / stage / "state.json")["status"] == "finished" for stage in STAGES)
    assert (saved / "distill" / "traces.jsonl").read_bytes() == traces
    assert (saved / "evaluation" / "summary.json").exists()


@installed
def test_hadolint_finds_nothing_in_the_dockerfile_and_something_in_a_worse_one(tmp_path):
    def lint(path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([RENT / "hadolint", path], capture_output=True, text=True)

    good = lint(ROOT / "Dockerfile")
    assert good.returncode == 0, good.stdout
    worse = tmp_path / "Dockerfile"
    worse.write_text((ROOT / "Dockerfile").read_text().replace(":13.0.2-runtime-ubuntu24.04", ""))
    assert "DL3006" in lint(worse).stdout


def test_the_image_copies_what_there_is_runs_as_a_user_and_holds_no_secret():
    text = (ROOT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for word in line.split()[1:-1]]
    assert copied and all((ROOT / name).exists() for name in copied)
    assert set(re.findall(r"\S+", (ROOT / "Makefile").read_text().split("$(INSTALLED): ")[1].split("\n")[0])) <= set(
        copied
    )
    assert re.findall(r"^USER (\w+)$", text, re.MULTILINE)[-1] not in ("0", "root")
    assert not re.search(r"^(ARG|ENV).*(TOKEN|KEY|SECRET|PASSWORD)", text, re.MULTILINE)
    kept_out = (ROOT / ".dockerignore").read_text().split()
    assert {".*", "runs", "data", "**/.env*"} <= set(kept_out)
    assert not set(kept_out) & {*copied, "configs", *STAGES}


@pytest.mark.parametrize(("name", "gpus"), [("1-gpu", 1), ("2-gpus", 2), ("8-gpus", 8)])
def test_accelerate_takes_its_files(name, gpus):
    from accelerate.commands.config.config_args import load_config_from_file

    loaded = load_config_from_file(str(LAUNCHES[name]))
    assert loaded.num_processes == gpus and loaded.num_machines == 1 and loaded.mixed_precision == "no"
    assert loaded.distributed_type.value == ("NO" if gpus == 1 else "MULTI_GPU")


def test_accelerate_starts_as_many_processes_as_the_file_says(tmp_path):
    script = tmp_path / "count.py"
    script.write_text(
        "import sys\nfrom configs.ranks import processes, rank\nfrom accelerate import Accelerator\n"
        "found = Accelerator()\nfound.wait_for_everyone()\n"
        "open(f'{sys.argv[1]}/{rank()}', 'w').write(f'{processes()} {found.num_processes} {found.mixed_precision}')\n"
    )
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--config_file",
        LAUNCHES["2-gpus"],
        script,
        tmp_path,
    ]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / name).read_text() for name in "01"] == ["2 2 no"] * 2


def test_the_guide_names_only_what_exists():
    guide = (ROOT / "docs" / "renting.md").read_text(encoding="utf-8")
    assert guide.count("\n") <= 200 and missing_from(guide) == []
    assert "not tried" in guide and all(path.name in guide for path in (*TASKS, *LAUNCHES.values()))
