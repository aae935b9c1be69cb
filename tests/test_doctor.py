"""`python -m budget doctor`: each check on this machine, and on machines that lack something."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from budget import disk, machine, packages, surroundings
from budget.doctor import main
from budget.findings import Finding, failed, show
from budget.packages import check_caps, check_versions, installed, pins
from configs.load import load_config
from configs.schema import Config
from models.sources import MADE_HERE
from tests.processes import ROOT, run_light

GIB = 2**30
CPU = load_config(ROOT / "configs" / "cpu.yaml")
RENTED = load_config(ROOT / "configs" / "h200-qwen3-4b.yaml")
RIGHT = {"device": "cpu", "result_off": 0.1, "gradient_off": 0.1}


def config(**model: object) -> Config:
    return Config.model_validate({"name": "x", "model": model})


def package(folder, name: str, version: str, *needs: str) -> None:
    """Write the metadata of an installed package, as pip would leave it."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {need}" for need in needs),
    ]
    (info / "METADATA").write_text("\n".join(lines))


def gpu(free: float = 79.0, total: float = 80.0, capability: tuple[int, int] = (9, 0)) -> dict:
    return {"name": "H100", "capability": list(capability), "total": int(total * GIB), "free": int(free * GIB)}


def test_pins_come_from_the_files_and_cover_every_package():
    found = pins()
    assert {name.replace("_", "-") for name in packages.PACKAGES} == set(found)
    assert all(str(pin.specifier).startswith("==") for pin in found.values())


def test_without_the_files_pins_come_from_our_own_metadata(tmp_path):
    assert set(pins(tmp_path)) >= {"torch", "trl"}


def test_another_version_than_the_tested_one_is_a_warning(tmp_path):
    package(tmp_path, "torch", "2.13.0+cpu")
    package(tmp_path, "trl", "1.16.0")
    found = {each.name: each for each in check_versions(installed([str(tmp_path)]), pins(), None)}
    assert found["torch"].level == "ok"
    assert found["trl"].level == "warning" and "1.16.0; tested with 1.14.2" in found["trl"].found
    assert found["peft"].level == "fail" and found["peft"].cure
    assert found["unsloth"].level == "warning" and found["vllm"].level == "ok"


def test_a_run_fails_without_what_it_names(tmp_path):
    def missing(cfg: Config) -> set[str]:
        return {each.name for each in check_versions({}, pins(), cfg) if each.level == "fail"} - set(packages.ALWAYS)

    assert missing(CPU) == {"distilabel"}
    assert missing(RENTED) == {"bitsandbytes", "unsloth", "unsloth-zoo", "distilabel", "vllm", "vllm-bnb-plugin"}
    assert "bitsandbytes" in missing(
        CPU.model_copy(update={"sft": CPU.sft.model_copy(update={"trainer": {"optim": "adamw_8bit"}})})
    )


@pytest.mark.parametrize(
    ("need", "broken"),
    [
        ("trl<=1.15.0,>=0.18.2", "unsloth 2026.10.9 needs trl<=1.15.0,>=0.18.2, not 1.16.0"),
        ("trl!=1.16.*", "not 1.16.0"),
        ("trl>=1.16", ""),
        ("peft>=0.18", "needs peft>=0.18, which is not installed"),
        ("trl<1; extra == 'old'", ""),
        ("trl<1; sys_platform == 'win32'", ""),
        ("torchvision", ""),  # text models do without
        ("certifi>=2099.1", ""),
        ("what is this", ""),
    ],
)
def test_limits_of_packages_on_each_other(need, broken, tmp_path):
    package(tmp_path, "unsloth", "2026.10.9", need)
    package(tmp_path, "trl", "1.16.0")
    found = check_caps(installed([str(tmp_path)]))
    assert found.level == ("fail" if broken else "ok")
    assert broken in found.found


def test_only_unsloth_may_ask_in_vain(tmp_path):
    package(tmp_path, "trl", "1.14.2", "torchvision")
    assert check_caps(installed([str(tmp_path)])).level == "fail"


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (RIGHT, "ok"),
        (RIGHT | {"result_off": 1.4}, "fail"),
        (RIGHT | {"gradient_off": float("nan")}, "fail"),
        ({"error": "ImportError: libcudart.so"}, "fail"),
    ],
)
def test_four_bit_is_judged_by_how_far_it_is_off(answer, level):
    assert machine.check_four_bit(answer, quantised=True).level == level
    assert machine.check_four_bit(answer, quantised=False).level == level.replace("fail", "warning")


@pytest.mark.parametrize(
    ("code", "timeout_s", "told"),
    [
        ("import os; os.abort()", 60, "status -6"),
        ("import time; time.sleep(60)", 4, "no answer in 4 s"),
    ],
)
def test_a_crash_or_hang_of_bitsandbytes_leaves_what_torch_said(code, timeout_s, told):
    first = "print('{\"gpus\": []}', flush=True)"
    found = machine.probe((sys.executable, "-c", f"{first}; {code}"), timeout_s)
    assert found.torch == {"gpus": []}
    assert told in found.four_bit["error"]


def test_a_probe_without_torch_is_an_error_of_both():
    found = machine.probe((sys.executable, "-S", "-P", str(machine.PROBE)))  # -S: no site-packages
    assert "No module named 'torch'" in found.torch["error"]
    (gpu_finding,) = machine.check_gpus(found.torch, [], None)
    assert gpu_finding.level == "fail" and "No module named 'torch'" in gpu_finding.found
    assert machine.check_four_bit(found.four_bit, quantised=True).level == "fail"


@pytest.mark.parametrize(
    ("shown", "built_for", "cfg", "level", "told"),
    [
        (gpu(), ["sm_80", "sm_90"], RENTED, "ok", "79.0 GiB free"),
        (gpu(free=30), ["sm_90"], RENTED, "fail", "vLLM would take 40.0 GiB"),
        (gpu(free=30), ["sm_90"], None, "warning", "held already"),
        (gpu(capability=(12, 0)), ["sm_80", "sm_90"], None, "fail", "built for sm_80, sm_90"),
        (gpu(capability=(7, 5)), ["sm_75"], config(name="tiny"), "warning", "bfloat16"),
    ],
)
def test_gpus(shown, built_for, cfg, level, told):
    (found,) = machine.check_gpus({"torch": "2.13.0", "built_for": built_for, "gpus": [shown]}, [], cfg)
    assert (found.level, told in found.found) == (level, True)


def test_no_gpu_is_a_failure_where_one_is_needed_or_there():
    none = {"torch": "2.13.0+cpu", "built_for": [], "gpus": [], "why": "Torch not compiled with CUDA enabled"}

    def levels(shown: list, cfg: Config | None) -> list[str]:
        return [each.level for each in machine.check_gpus(none, shown, cfg)]

    assert levels([], None) == levels([], CPU) == ["warning"]
    assert levels([], RENTED) == ["fail"]
    assert levels([("NVIDIA L4", "570.86.15", 23034)], CPU) == ["ok", "fail"]  # torch cannot use what is there


def test_disk_room_counts_the_checkpoints(tmp_path, monkeypatch):
    def need(**changes: object) -> float:
        found = disk.check_disk(CPU.model_copy(update={"runs": str(tmp_path / "not" / "yet"), **changes}))
        assert str(tmp_path) in found.found
        return float(found.found.partition("needed ")[2].partition(" GB")[0])

    more = CPU.rl.model_copy(update={"trainer": {"save_total_limit": 22}})
    assert need(rl=more) - need() == pytest.approx(20 * 0.147, abs=0.11)  # 20 more of 0.147 GB
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    found = disk.check_disk(CPU)
    assert found.level == "fail" and "1.0 GB free" in found.found and found.cure
    assert disk.check_download(CPU) is None
    download = disk.check_download(config(name="someone/unheard-of-4b"))
    assert download.level == "fail" and "at most 8.0 GB" in download.found


def test_adapters_by_the_shape_and_by_the_name_agree():
    by_shape, how = disk.adapter_parameters(config(name="Qwen/Qwen3-4B-Instruct-2507"))
    assert how == "by the model's shape" and by_shape == 33_030_144  # as PEFT counts r = 16 on all seven layers
    by_name, how = disk.adapter_parameters(config(name="someone/unheard-of-4b"))
    assert how == "by 4,000 M in the name" and by_shape < by_name < 1.3 * by_shape
    unknown, how = disk.adapter_parameters(config(name="someone/unheard-of"))
    assert how == "taken for 8 B" and unknown > by_name


def test_the_token_is_asked_for_only_where_the_hub_is_and_never_shown(monkeypatch, tmp_path):
    hub = config(name="someone/unheard-of-4b")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert all(surroundings.check_token(config(name=name)).level == "ok" for name in MADE_HERE)
    assert surroundings.check_token(hub).level == "warning"
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    found = surroundings.check_token(hub)
    assert found.level == "ok" and "hf_secret" not in str(found)


@pytest.mark.parametrize(
    ("variables", "cfg", "has_gpu", "levels"),
    [
        ({}, CPU, False, ["ok"]),
        ({}, CPU, True, ["warning"]),  # no expandable segments
        ({"PYTORCH_ALLOC_CONF": "expandable_segments:True"}, CPU, True, ["ok"]),
        ({}, config(name="tiny"), True, ["ok"]),  # Unsloth sets them
        ({"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}, config(name="tiny", vllm=True), True, ["warning"]),
        (
            {"PYTORCH_ALLOC_CONF": "expandable_segments:True", "UNSLOTH_VLLM_STANDBY": "0"},
            config(name="tiny", vllm=True),
            True,
            ["ok"],
        ),
        ({"UNSLOTH_VLLM_STANDBY": "1"}, config(name="tiny"), True, ["warning"]),
        ({"HF_HUB_OFFLINE": "1"}, config(name="someone/unheard-of-4b"), False, ["fail"]),
        ({"HF_HUB_OFFLINE": "0"}, config(name="someone/unheard-of-4b"), False, ["ok"]),
        ({"HF_HUB_OFFLINE": "1"}, CPU, False, ["ok"]),
        ({"TOKENIZERS_PARALLELISM": "true"}, CPU, False, ["warning"]),
    ],
)
def test_variables(variables, cfg, has_gpu, levels):
    assert [each.level for each in surroundings.check_environment(variables, cfg, has_gpu)] == levels


def test_data_of_the_hub_counts_until_it_is_cached(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    cfg = Config.model_validate({"name": "x", "data": {"source": "gretel", "path": "someone/questions"}})
    assert surroundings.on_hub(cfg) == ["someone/questions"]
    (tmp_path / "datasets--someone--questions" / "snapshots").mkdir(parents=True)
    assert surroundings.on_hub(cfg) == []


def test_nothing_that_was_found_is_taken_for_markup_or_obeyed():
    console = Console(record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show([Finding("x", "fail", "[red]not red[/red] \x1b[2J", "[link=x]y[/link]")], console)
    text = console.export_text()
    assert "[red]not red[/red] �[2J" in text and "[link=x]y[/link]" in text and "1 fail" in text


def test_on_this_machine():
    """The real torch, bitsandbytes and sandbox, by a process that imports none of them; JSON and status agree."""
    done = run_light("budget", "doctor", "configs/cpu.yaml", "--json", "name=other")
    told = json.loads(done.stdout)
    found = {each["name"]: each for each in told["findings"]}
    assert done.returncode == (0 if told["ok"] else 1), done.stderr
    assert told["ok"] != failed([Finding(**each) for each in told["findings"]])
    assert {"python", "torch", "version caps", "4-bit matmul", "disk", "hub token", "environment", "sandbox"} <= set(
        found
    )
    assert found["4-bit matmul"]["level"] == "ok", found["4-bit matmul"]
    assert found["version caps"]["level"] == "ok", found["version caps"]
    assert all(each["cure"] for each in told["findings"] if each["level"] == "fail")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.yaml"], "none.yaml"),
        (["model.vllm=true"], "give the CONFIG before it"),
        (["configs/cpu.yaml", "model.vlm=true"], "vlm"),
    ],
)
def test_bad_input_ends_with_2_before_anything_is_tried(words, told, capsys):
    assert main(words) == 2
    said = capsys.readouterr()
    assert told in said.err and not said.out


def test_the_doctor_starts_light_and_answers_help():
    done = run_light("budget", "doctor", "--help")
    assert done.returncode == 0 and "usage: python -m budget doctor" in done.stdout
