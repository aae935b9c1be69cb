"""Stage 3: improve the SFT adapter with GRPO (Shao et al., 2024, section 4).

In shapes: P questions per step, G completions of each, B = P × G rewards.
"""

from pathlib import Path

from configs.schema import Config
from configs.screen import say
from configs.stage import begin, finish, wrote
from models.adapter import check_adapter
from models.environment import prepare
from rewards import load_reward
from tasks.load import load_tasks

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


def train(cfg: Config, fresh: bool = False) -> Path:
    """Improve the SFT adapter; return the folder of the new one."""
    limits = cfg.sandbox.model_dump()
    rewards = [load_reward(reward.name, reward.params, defaults=limits) for reward in cfg.rl.rewards]
    settings = cfg.model_dump(mode="json", include={"seed", "data", "model", "rl", "sandbox"})
    sft_adapter = cfg.folder / "sft" / "adapter"
    begun = begin(cfg, "rl", settings, {"SFT adapter": sft_adapter}, fresh)
    adapter = begun.folder / "adapter"
    if begun.status == "finished":
        return adapter
    check_adapter(sft_adapter, cfg.model)
    tasks = load_tasks(cfg.data, cfg.seed).train

    prepare(cfg, generates=True)
    from trl import GRPOConfig, GRPOTrainer

    from models.load import add_adapter, load_adapter, load_model, name_base
    from models.progress import Progress, last_checkpoint, save_adapter
    from models.training import set_up, trainer_config
    from rl.completions import CompletionLog
    from rl.prompts import not_contaminated, prompts_that_fit
    from rl.reference import keep_reference

    args = trainer_config(GRPOConfig, "rl", _options(cfg, begun.folder), cfg.model, cfg.seed)
    model, tokenizer = load_model(cfg.model, vllm=cfg.model.vllm)
    data, left_out = prompts_that_fit(not_contaminated(tasks, cfg), tokenizer, cfg)
    say(f"  {len(data)} questions, {left_out} left out: prompt longer than {cfg.rl.max_prompt_length} tokens")
    model = add_adapter(model, cfg.model, seed=cfg.seed, checkpointing=args.gradient_checkpointing)
    load_adapter(model, sft_adapter, cfg.model)
    name_base(model, cfg.model)
    trainer = GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=data,
        reward_funcs=rewards,
        args=args,
        callbacks=[Progress(begun.folder, "rl: steps")],
    )
    set_up(trainer)
    keep_reference(trainer)
    trainer.add_callback(CompletionLog(begun.folder, trainer))
    checkpoint = last_checkpoint(begun.folder)
    if checkpoint:  # where a reference lies beside the policy, the trainer brings back that one only
        load_adapter(trainer.model, Path(checkpoint), cfg.model)
    done = trainer.train(resume_from_checkpoint=checkpoint)
    save_adapter(trainer.model, tokenizer, adapter)
    finish(begun, steps=done.global_step, questions=len(data), left_out=left_out)
    wrote(
        begun,
        f"adapter after {done.global_step} steps of {cfg.rl.prompts_per_step} × {cfg.rl.generations} completions",
    )
    return adapter


def _options(cfg: Config, folder: Path) -> dict:
    """Return what GRPOConfig is made from: the user's options, and what follows from the rest of the config.

    A step generates B = P × G completions at once and learns from them in micro batches, so the batch sizes
    always divide.
    """
    rl = cfg.rl
    completions = rl.prompts_per_step * rl.generations
    return (
        DEFAULTS
        | rl.trainer
        | {
            "output_dir": str(folder),
            "num_generations": rl.generations,
            "per_device_train_batch_size": rl.micro_batch,
            "gradient_accumulation_steps": completions // rl.micro_batch,
            "generation_batch_size": completions,
            "max_completion_length": rl.max_completion_length,
            "reward_weights": [reward.weight for reward in rl.rewards],
            "use_vllm": cfg.model.vllm,
        }
    )
