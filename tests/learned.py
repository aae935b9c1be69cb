"""SFT of a few traces in a process of its own, as Unsloth wants it; prints what its loss was computed on.

python -m tests.learned CONFIG.json [most]: the last line of its output is a JSON object of `batches` (what each
training step saw) and `hooks` (those that are left on the embedding).  most: traces in a batch for which there is room.
"""

import json
import subprocess
import sys
from pathlib import Path

from configs.files import write_json, write_jsonl
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


def learn(cfg: Config, *words: object) -> subprocess.CompletedProcess[str]:
    """Return the process that ran the stage; the config must have been made here."""
    command = [sys.executable, "-m", "tests.learned", str(Path(cfg.runs) / "run.json"), *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)


def seen(cfg: Config, *words: object) -> dict:
    """Return what the stage printed of its training."""
    done = learn(cfg, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) | {"said": done.stderr}


def main(file: str, most: str = "") -> None:
    """Run the stage and print what was seen."""
    from models.environment import prepare

    cfg = Config.model_validate(json.loads(Path(file).read_text(encoding="utf-8")))
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
    train(cfg)
    hooks = [hook.__qualname__ for hook in embeddings[-1]._forward_hooks.values()]
    print(json.dumps({"batches": batches, "hooks": hooks}))


if __name__ == "__main__":
    main(*sys.argv[1:])
