"""The part of the doctor that a stage runs first."""

import pytest

from budget.before import check_stage
from budget.disk import check_disk
from configs.errors import ConfigError
from configs.schema import Config
from configs.stage import main

DRIVER = "#!/bin/sh\necho 'NVIDIA GeForce RTX 4090, 570.86.15, 24564'\n"


@pytest.fixture
def local(tmp_path):
    """Return a run's config whose model is here."""
    return Config.model_validate(
        {"name": "trial", "runs": str(tmp_path), "model": {"name": "tiny", "backend": "transformers"}}
    )


def on_the_hub(cfg: Config) -> Config:
    return cfg.model_copy(update={"model": cfg.model.model_copy(update={"name": "nobody/has-this-3b"})})


def test_a_machine_that_fits_is_not_mentioned(local, capsys, monkeypatch):
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    for stage in ("distill", "sft", "rl", "evaluation"):
        check_stage(stage, local)
    assert capsys.readouterr().err == ""


def test_a_stage_ends_before_it_loads_anything_for_a_model_that_cannot_be_downloaded(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "run.yaml").write_text(
        f"name: trial\nruns: {tmp_path}\nmodel: {{name: nobody/has-this-3b, backend: transformers}}"
    )
    assert main("sft", "Reads traces.", "a_module_that_is_not_there:train", [str(tmp_path / "run.yaml")]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert said.startswith("sft: environment: HF_HUB_OFFLINE is set, and not in the cache: nobody/has-this-3b; unset")


def test_what_may_hurt_is_said_and_the_stage_goes_on(local, capsys, monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    check_stage("rl", local)
    assert "rl: environment: TOKENIZERS_PARALLELISM is on" in capsys.readouterr().err


def test_what_a_stage_does_not_use_is_not_looked_at(local, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    check_stage("distill", on_the_hub(local))  # its teacher writes from the gold SQL
    server = {"base_url": "http://localhost:1/v1", "model": "teacher"}
    served = {"models": ["other"], "servers": {"other": server}}
    only_served = Config.model_validate(on_the_hub(local).model_dump() | {"evaluation": served})
    check_stage("evaluation", only_served)
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE"):
        check_stage("evaluation", on_the_hub(local))


def test_a_gpu_that_torch_cannot_use_ends_a_training_stage(local, tmp_path, monkeypatch):
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch can use the GPU of this machine")
    (tmp_path / "nvidia-smi").write_text(DRIVER)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    check_stage("distill", local)
    with pytest.raises(ConfigError, match=r"GPU: the driver shows one, but torch .* cannot use it"):
        check_stage("sft", local)


def test_vllm_is_asked_for_where_it_generates(local):
    unsloth = {"name": "tiny", "backend": "unsloth", "vllm": True}
    cfg = Config.model_validate(local.model_dump() | {"model": unsloth})
    check_stage("sft", cfg)
    try:
        import vllm  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match=r"vllm: not installed; pip install -c constraints.txt -e '\.\[gpu\]'"):
            check_stage("rl", cfg)


def test_what_a_run_has_on_the_disk_already_counts_as_room(local):
    before = free_gb(local)
    local.folder.mkdir(parents=True)
    with open(local.folder / "checkpoint", "wb") as file:
        file.truncate(10**12)  # a hole: it takes no room, and counts as if it did
    assert 990 < free_gb(local) - before < 1010


def free_gb(cfg: Config) -> float:
    return float(check_disk(cfg).found.partition(" GB free")[0])
