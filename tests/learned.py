"""SFT of a few traces in a process of its own, as Unsloth wants it; prints what its loss was computed on.

python -m tests.learned CONFIG.json … [most|again]: the last line of its output is a JSON list with an object for each
training, one after the other: `batches` (what each step saw) and `hooks` (those that are left on the embedding).
most: traces in a batch for which there is room.  again: each goes on from its last checkpoint but one.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from configs import folder as stage_folder
from configs.files import read_json, write_json, write_jsonl
from configs.schema import Config
from tasks.trace import render
from tests.processes import ROOT

QUESTIONS = {
    "How many trips?": render("open trips\ndeliver count(*)", "SELECT count(*) FROM trips"),
    "Which stations?": render("open stations\ndeliver stations.name", "SELECT name FROM stations"),
    "Which trips after 2023?": render(
        'open trips\nfilter "after 2023": trips.year > 2023\ndeliver trips.id', "SELECT id FROM trips WHERE year > 2023"
    ),
}


def trace(question: str, answer: str, split: str = "train") -> dict:
    """Return a line of traces.jsonl, as far as the stage reads it."""
    messages = [
        {"role": "system", "content": "Plan, then SQL."},
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    return {"split": split, "messages": messages}


TRACES = [trace(question, answer) for question, answer in QUESTIONS.items()]


def config(folder: Path, *, traces: list[dict] = TRACES, **sections: object) -> Config:
    """Return a run whose distill folder holds `traces`, noted in its folder as run.json."""
    short = {"rl": {"max_prompt_length": 100, "max_completion_length": 100}, "evaluation": {"max_new_tokens": 8}}
    cfg = Config.model_validate({"name": "trial", "runs": str(folder)} | short | sections)
    write_jsonl(cfg.folder / "distill" / "traces.jsonl", traces)
    write_json(folder / "run.json", cfg.model_dump(mode="json"))
    return cfg


def again(cfg: Config) -> None:
    """Make the stage as it was before its end."""
    state = cfg.folder / "sft" / "state.json"
    write_json(state, read_json(state) | {"status": "running"})
    (cfg.folder / "sft" / "adapter").rename(cfg.folder / "first")


def learn(*words: object) -> subprocess.CompletedProcess[str]:
    """Return the process that ran the stage; the configs must have been made here."""
    files = [str(Path(word.runs) / "run.json") if isinstance(word, Config) else str(word) for word in words]
    command = [sys.executable, "-m", "tests.learned", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)


def seen(*words: object) -> tuple[list[dict], str]:
    """Return what was seen of each training, and what all of them said."""
    done = learn(*words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def main(*words: str) -> None:
    """Run the stage for each config and print what was seen."""
    found = []
    for word in words:
        if word.endswith(".json"):
            cfg = Config.model_validate(read_json(word))
            found.append(_watched(cfg, *filter(str.isdigit, words)))
            if "again" in words:
                again(cfg)
                shutil.rmtree(max((cfg.folder / "sft").glob("checkpoint-*")))
                stage_folder._locks, stage_folder._begun = {}, {}
                found.append(_watched(cfg))
    print(json.dumps(found))


def _watched(cfg: Config, most: str = "") -> dict:
    """Run the stage; return what was seen."""
    from models.environment import prepare

    prepare(cfg)
    import torch

    from models import stopping
    from sft.train import train

    batches, embeddings, run = [], [], stopping.run

    def watched(trainer, checkpoint):
        compute = trainer.compute_loss

        def compute_loss(model, inputs, *args, **options):
            if most and len(inputs["input_ids"]) > int(most) and trainer.state.global_step:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
            if model.training:
                batches.append(
                    {key: value.tolist() for key, value in inputs.items() if isinstance(value, torch.Tensor)}
                )
            return compute(model, inputs, *args, **options)

        trainer.compute_loss = compute_loss
        embeddings.append(trainer.model.get_input_embeddings())
        return run(trainer, checkpoint)

    stopping.run = watched
    try:
        train(cfg)
    finally:
        stopping.run = run
    hooks = [hook.__qualname__ for hook in embeddings[-1]._forward_hooks.values()]
    return {"batches": batches, "hooks": hooks}


if __name__ == "__main__":
    main(*sys.argv[1:])
