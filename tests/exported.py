"""A run that was trained by no one: the tiny model with random adapters, and every file that an export reads."""

from pathlib import Path

import torch

from configs.files import write_json, write_jsonl
from configs.schema import Config, Model
from models.load import add_adapter, load_model, name_base
from models.progress import save_trained

INTERVAL = [0.25, 0.75]


def make_run(runs: Path, tiny: Model, **sections: dict) -> Path:
    """Return the folder of a run with an SFT and an RL adapter that answer differently."""
    evaluation = {"questions": 30, "batch_size": 8, "max_new_tokens": 12}
    data = {"sample_values": 1, "max_columns": 11, "split": "questions", "test_share": 0.2} | sections.pop("data", {})
    cfg = Config(name="made", runs=str(runs), data=data, model=tiny, evaluation=evaluation, **sections)
    run = runs / "made"
    fingerprints = {}
    for seed, stage in enumerate(("sft", "rl"), 1):
        random_adapter(cfg.model, run / stage / "adapter", seed)
        state = {"commit": "abc123", "versions": {"torch": "2.13.0", "vllm": None}, "facts": {"steps": 1234}}
        write_json(run / stage / "state.json", state)
    write_json(run / "config.json", {"config": cfg.model_dump(mode="json")})
    write_json(run / "distill" / "stats.json", {"train": {"delivered": 2100}, "validation": {"delivered": 30}})
    prompts = [{"messages": [{}, {"content": "x" * length}, {}]} for length in (90, 100, 1500)]
    write_jsonl(run / "distill" / "traces.jsonl", prompts)
    row = {"questions": 30, "databases": {"a": {}, "b": {}}, "ex_interval": INTERVAL, "ex_bird": 0.6, "runs": 1.0}
    write_json(run / "evaluation" / "summary.json", {"sft": row | {"ex": 0.4}, "rl": row | {"ex": 0.5}, "compared": {}})
    write_json(run / "evaluation" / "rl.json", {"adapter": fingerprints.get("rl"), "predictions": []})
    return run


def random_adapter(cfg: Model, folder: Path, seed: int) -> None:
    """Save an adapter whose update is large enough to change every answer."""
    model, tokenizer = load_model(cfg)
    model = add_adapter(model, cfg, seed=seed)
    name_base(model, cfg)
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=3.0)
        if "lora_magnitude" in name:
            parameter.data *= 1 + 20 * torch.rand_like(parameter)  # the direction alone changes no answer
    save_trained(model, tokenizer, folder)
