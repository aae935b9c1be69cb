"""Stage 3: improve the SFT model with GRPO (Shao et al., 2024, section 4).

In shapes: P questions per step, G completions of each, B = P × G rewards.
"""

from math import ceil
from pathlib import Path

from configs.errors import ConfigError
from configs.loggers import REPORTING
from configs.ranks import processes, rank
from configs.schema import Config
from configs.screen import say
from configs.stage import begin, finish, wrote
from models.environment import prepare
from models.together import from_first
from models.trained import check_trained, last_folder
from rewards.score import Scorer
from tasks.load import load_tasks
from tasks.task import Task

DEFAULTS = {
    "learning_rate": 5e-6,
    "max_steps": 300,
    "lr_scheduler_type": "constant_with_warmup",
    "warmup_steps": 0.05,
    "logging_steps": 1,
    "save_steps": 25,
}
"""Used where `rl.trainer` says nothing; learning rate and steps as in the DEV article.

Loss, β and temperature are TRL's own: given by name, Unsloth would take them as a wish for more than that.
"""
ALL_WEIGHTS = {"learning_rate": 1e-6}
"""In their place without `model.lora`: TRL's default, and what open-r1, Think2SQL and SkyRL-SQL took."""

STOPS = {"stop": ["</sql>"], "include_stop_str_in_output": True}
"""What vLLM is told; elsewhere `rl.ends` stops the answers."""


def train(cfg: Config, fresh: bool = False) -> Path:
    """Improve what SFT trained, an adapter or the whole model; return the folder of the new one."""
    scorer = Scorer(cfg, failures=cfg.folder / "rl" / "failed_reward.json")
    settings = cfg.model_dump(
        mode="json",
        include={"seed", "data", "model", "rl", "sandbox"},
        exclude={"rl": {"stop_when_sick": True, "micro_batch": True, "trainer": REPORTING}},
    )
    start, trained = (last_folder(cfg.folder, stage, cfg.model) for stage in ("sft", "rl"))
    if processes() > 1:
        prepare(cfg, generates=True)
    begun = from_first(lambda: begin(cfg, "rl", settings, {f"SFT {start.name}": start}, fresh))
    if begun.status == "finished":
        return trained
    check_trained(start, cfg.model)
    splits = load_tasks(cfg.data, cfg.seed)

    prepare(cfg, generates=True)
    from trl import GRPOConfig

    from models.load import load_adapter, load_model, load_trained, name_base, trainable
    from models.peak import peak_memory
    from models.progress import last_checkpoint, save_trained
    from models.stopping import run
    from models.training import trainer_config
    from rl.prompts import not_contaminated, prompts_that_fit
    from rl.room import more_room

    args = trainer_config(GRPOConfig, "rl", _options(cfg, begun.folder), cfg.model, cfg.seed)
    checkpointing = args.gradient_checkpointing
    with more_room(cfg):
        model, tokenizer = load_model(cfg.model, vllm=cfg.model.vllm, trains=True, checkpointing=checkpointing)
        tasks, left_out = prompts_that_fit(not_contaminated(splits.train, cfg), tokenizer, cfg)
        say(f"  {len(tasks)} questions, {left_out} left out: prompt longer than {cfg.rl.max_prompt_length} tokens")
        model = trainable(model, cfg.model, seed=cfg.seed, checkpointing=checkpointing)
        model = load_trained(model, start, cfg.model, seed=cfg.seed)
        name_base(model, cfg.model)
        order = _order(cfg, begun.folder, args, model, tokenizer, tasks)
        trainer = _trainer(cfg, begun.folder, args, model, tokenizer, order, scorer)
        best = _best(cfg, begun.folder, trainer, tokenizer, splits.validation)
        checkpoint = from_first(lambda: last_checkpoint(begun.folder))
        if checkpoint and cfg.model.lora:  # of two adapters, policy and reference, the trainer brings back the latter
            load_adapter(trainer.model, Path(checkpoint), cfg.model)
        done = run(trainer, checkpoint)
    if rank():
        return trained
    save_trained(trainer.model, tokenizer, trained)
    led = best.leading if best else None
    facts = {"best_step": led["step"], "best_ex": led["ex"]} if led else {}
    finish(begun, steps=done.global_step, questions=len(tasks), left_out=left_out, **facts, **peak_memory())
    size = f"{cfg.rl.prompts_per_step} × {cfg.rl.generations} completions"
    wrote(begun, f"{trained.name} after {done.global_step} steps of {size}" + _told(led))
    return trained


def _told(led: dict | None) -> str:
    return f"; best/ is of step {led['step']}, EX {100 * led['ex']:.1f} % held out" if led else ""


def _trainer(cfg: Config, folder: Path, args, model, tokenizer, order: list[Task], scorer: Scorer):
    """Return TRL's trainer over the questions in their order, with our callbacks."""
    from models.progress import Progress
    from models.training import set_up
    from rl.completions import CompletionLog
    from rl.ends import EndsAtSql
    from rl.health import Health
    from rl.outcomes import noting
    from rl.prompts import as_rows
    from rl.reference import keep_reference
    from rl.resample import Resampling
    from rl.samples import Samples

    if cfg.rl.resample and processes() > 1:
        raise ConfigError("rl.resample is for one process: each would replace other groups; set it to 0")
    kind = Resampling if cfg.model.backend == "transformers" else EndsAtSql  # Unsloth reads prompts its own way
    trainer = kind(
        model=model,
        processing_class=tokenizer,
        train_dataset=as_rows(order, cfg),
        reward_funcs=noting(scorer.functions(cfg.rl.generations), cfg.sandbox, cfg.evaluation.judge),
        args=args,
        callbacks=[Progress(folder, "rl: steps"), Health(folder, cfg.rl.stop_when_sick)],
    )
    trainer.turns = cfg.rl.resample
    set_up(trainer)
    keep_reference(trainer)
    log = CompletionLog(folder, trainer)
    for callback in (log, Samples(log, trainer)):
        trainer.add_callback(callback)
    return trainer


def _order(cfg: Config, folder: Path, args, model, tokenizer, tasks: list[Task]) -> list[Task]:
    """Return the questions of all steps, one after the other."""
    from models.load import ready_to_answer, ready_to_train
    from rl.signal import pass_rates, training_order

    rl, rates = cfg.rl, {}
    if args.max_steps <= 0:  # the rows are those of all epochs, so the trainer may not go through them as often again
        args.max_steps = ceil(args.num_train_epochs * len(tasks) / rl.prompts_per_step) * args.num_iterations
    count = ceil(args.max_steps / args.num_iterations) * rl.prompts_per_step
    if rl.pass_rate_samples:
        seen = training_order(tasks, {}, min(count, len(tasks)), easy_first=False, seed=cfg.seed)
        ready_to_answer(model, cfg.model)
        rates = pass_rates(model, tokenizer, seen, cfg, folder)
        ready_to_train(model, cfg.model)
        tasks = seen
    return training_order(tasks, rates, count, rl.easy_first, cfg.seed)


def _best(cfg: Config, folder: Path, trainer, tokenizer, validation):
    """Return the callback that keeps the best model, added to the trainer; None where there is nothing to go by."""
    from rl.best import Best, held_out

    if not cfg.rl.ex_every:
        return None
    questions = held_out(validation, tokenizer, cfg)
    if not questions:
        say("  no validation question is short enough for rl.max_prompt_length, so no best/ is kept")
        return None
    best = Best(folder, trainer, tokenizer, questions, cfg)
    trainer.add_callback(best)
    return best


def _options(cfg: Config, folder: Path) -> dict:
    """Return what GRPOConfig is made from: the user's options, and what follows from the rest of the config.

    A step generates B = P × G completions at once and learns from them in micro batches, so the batch sizes
    always divide.
    """
    rl = cfg.rl
    completions = rl.prompts_per_step * rl.generations
    if completions % (rl.micro_batch * processes()):
        raise ConfigError(
            f"rl.micro_batch {rl.micro_batch} in {processes()} processes does not divide prompts_per_step × "
            f"generations = {completions}; change one of them"
        )
    stops = {"generation_kwargs": STOPS | rl.trainer.get("generation_kwargs", {})} if cfg.model.vllm else {}
    return (
        DEFAULTS
        | ({} if cfg.model.lora else ALL_WEIGHTS)
        | rl.trainer
        | stops
        | {
            "output_dir": str(folder),
            "num_generations": rl.generations,
            "per_device_train_batch_size": rl.micro_batch,
            "gradient_accumulation_steps": completions // (rl.micro_batch * processes()),
            "generation_batch_size": completions,
            "max_completion_length": rl.max_completion_length,
            "reward_weights": [reward.weight for reward in rl.rewards],
            "use_vllm": cfg.model.vllm,
            "shuffle_dataset": False,  # the order is ours
        }
    )
