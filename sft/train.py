"""Stage 2: teach the model the traces; loss on the answer only."""

from pathlib import Path

from configs.ranks import processes, rank
from configs.schema import Config
from configs.stage import begin, finish, wrote
from models.environment import prepare
from models.together import from_first
from models.trained import last_folder
from sft.options import options, settings
from sft.traces import datasets, read_traces, validation

PROBES = 8
"""Questions asked after training, to see whether the model stops by itself."""


def train(cfg: Config, fresh: bool = False) -> Path:
    """Train a new adapter, or the whole model, on the verified traces; return its folder."""
    traces = cfg.folder / "distill" / "traces.jsonl"
    if processes() > 1:
        prepare(cfg)
    begun = from_first(lambda: begin(cfg, "sft", settings(cfg), {"traces": traces}, fresh))
    trained = last_folder(cfg.folder, "sft", cfg.model)
    if begun.status == "finished":
        return trained
    rows = read_traces(traces, cfg.sft.early_stopping_patience)

    prepare(cfg)
    from models.peak import peak_memory
    from models.progress import save_trained
    from models.training import last_loss

    trainer, data, done = _with_room(cfg, begun.folder, rows)
    if rank():
        return trained
    tokenizer = trainer.processing_class
    save_trained(trainer.model, tokenizer, trained)
    stops = _stops(cfg, trainer.model, tokenizer, data["validation"] or data["train"])
    loss, count = last_loss(trainer), len(data["train"])
    best = {"best_step": trainer.state.best_global_step} if trainer.args.load_best_model_at_end else {}
    finish(begun, steps=done.global_step, loss=loss, traces=count, stops=stops, **best, **peak_memory())
    kept = f", the best of them {best['best_step']}," if best else ""
    wrote(begun, f"{trained.name} after {done.global_step} steps{kept} on {count} traces, last loss {loss}")
    return trained


def _with_room(cfg: Config, folder: Path, rows: list[dict]):
    """Learn; where memory runs out, go on from the last checkpoint with a smaller micro batch, or say how to."""
    from models.room import free, out_of_memory
    from sft.room import as_found, with_room

    cfg = as_found(cfg, folder)
    while True:
        try:
            return _learn(cfg, folder, rows)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            cfg = with_room(cfg, folder, error)
        free()


def _learn(cfg: Config, folder: Path, rows: list[dict]):
    """Return the trainer, its data and what it did from the last checkpoint on."""
    from trl import SFTConfig, SFTTrainer

    from models.load import load_model, name_base, trainable
    from models.progress import Progress, last_checkpoint
    from models.stopping import run
    from models.template import check_template
    from models.training import set_up, trainer_config
    from sft.ex import ex_callbacks
    from sft.packing import check_packing, quiet

    validates = any(row["split"] == "validation" for row in rows)
    given = options(cfg, folder, validates=validates, in_domain=cfg.sft.in_domain_traces > 0)
    args = trainer_config(SFTConfig, "sft", given, cfg.model, cfg.seed)
    model, tokenizer = load_model(cfg.model, trains=True, checkpointing=args.gradient_checkpointing)
    check_template(tokenizer)
    data = datasets(rows, tokenizer, cfg)
    model = trainable(model, cfg.model, seed=cfg.seed, checkpointing=args.gradient_checkpointing)
    name_base(model, cfg.model)
    quiet(cfg)
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=data["train"],
        eval_dataset=validation(data),
        args=args,
        callbacks=[Progress(folder, "sft: steps"), *_early_stopping(cfg), *ex_callbacks(cfg, folder, tokenizer)],
    )
    set_up(trainer)
    check_packing(trainer, cfg)
    return trainer, data, run(trainer, from_first(lambda: last_checkpoint(folder)))


def _stops(cfg: Config, model, tokenizer, data) -> float:
    """Return the share of a few answers that end by themselves."""
    from models.answer import stopping_share
    from models.load import ready_to_answer

    ready_to_answer(model, cfg.model)
    prompts = data.select(range(min(PROBES, len(data))))["prompt"]
    return stopping_share(model, tokenizer, list(prompts), max_new_tokens=cfg.evaluation.max_new_tokens)


def _early_stopping(cfg: Config) -> list:
    from transformers import EarlyStoppingCallback

    patience, threshold = cfg.sft.early_stopping_patience, cfg.sft.early_stopping_threshold
    return [EarlyStoppingCallback(patience, threshold)] if patience else []
