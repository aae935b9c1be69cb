"""How each model of a run is asked: here, by transformers, Unsloth or vLLM; or behind its server."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from configs.errors import ConfigError
from configs.evaluation_schema import STAGES, Server
from configs.files import file_fingerprint
from configs.schema import Config
from configs.screen import say
from models.environment import prepare
from models.said import Answer
from models.served import served_answers
from models.server import check_server, key_of
from models.trained import check_trained, last_folder, trained_folder, weights_file

Chat = list[dict[str, str]]
Ask = Callable[[list[Chat]], Iterator[list[tuple[int, Answer]]]]
"""Chats → batches of (position, answer), evaluation.samples answers a chat, one behind the other."""
Origin = Path | Server | None
"""Where a model is: the folder of what was trained, its server, or None for the base model."""


def origins(cfg: Config) -> dict[str, Origin]:
    """Return where each of evaluation.models is; ConfigError for one that is not there."""
    return {name: cfg.evaluation.servers.get(name) or _trained(cfg, name) for name in cfg.evaluation.models}


def fingerprint(origin: Origin) -> str | None:
    """Return what tells a model's answers from those of another that had its name."""
    if isinstance(origin, Server):  # at another address it is still the same
        return f"{origin.model} {json.dumps(origin.options, sort_keys=True)}" if origin.options else origin.model
    return origin and file_fingerprint(weights_file(origin))


def askers(cfg: Config, models: Mapping[str, Origin]) -> Iterator[tuple[str, Ask]]:
    """Yield each model's name, and what asks it while it is its turn; those here share one base model in memory."""
    servers = {name: origin for name, origin in models.items() if isinstance(origin, Server)}
    for name, server in servers.items():  # before a model is loaded in vain
        check_server(server.base_url, key_of(server), server.api_key_env, f"evaluation.servers.{name}")
    here = {name: origin for name, origin in models.items() if name not in servers}
    if here:
        yield from (_by_vllm if cfg.model.vllm else _by_trainer)(cfg, here)
    for name, server in servers.items():
        yield name, partial(served_answers, server, **_how(cfg))


def _by_trainer(cfg: Config, models: Mapping[str, Path | None]) -> Iterator[tuple[str, Ask]]:
    """Yield models that Unsloth or transformers load; the base model comes first, before it is another."""
    prepare(cfg)
    import torch

    from models.answer import answers
    from models.load import load_model, load_trained, ready_to_answer

    torch.manual_seed(cfg.seed)
    model, tokenizer = load_model(cfg.model)

    def ask(chats: list[Chat]) -> Iterator[list[tuple[int, Answer]]]:
        ready_to_answer(model, cfg.model)
        _say_too_long(chats, tokenizer, cfg)
        return answers(model, tokenizer, chats, **_how(cfg))

    if "base" in models:
        yield "base", ask
    for name, folder in models.items():
        if folder:
            model = load_trained(model, folder, cfg.model, seed=cfg.seed)
            yield name, ask


def _by_vllm(cfg: Config, models: Mapping[str, Path | None]) -> Iterator[tuple[str, Ask]]:
    prepare(cfg.model_copy(update={"model": cfg.model.model_copy(update={"backend": "transformers"})}), generates=True)
    from models.engine import Engine

    engine = Engine(cfg.model, cfg.seed)

    def ask(folder: Path | None, chats: list[Chat]) -> Iterator[list[tuple[int, Answer]]]:
        _say_too_long(chats, engine.tokenizer, cfg)
        how = {name: value for name, value in _how(cfg).items() if name != "batch_size"}
        return engine.answers(folder, chats, **how)

    for name, folder in models.items():
        yield name, partial(ask, folder)


def _how(cfg: Config) -> dict:
    return cfg.evaluation.model_dump(include={"max_new_tokens", "batch_size", "temperature", "samples"})


def _trained(cfg: Config, name: str) -> Path | None:
    """Return the folder of what `name` stands for, None for the base model."""
    folder = trained_folder(cfg.folder, name, cfg.model)
    if folder is None:
        return None
    last = {stage: last_folder(cfg.folder, stage, cfg.model) for stage in STAGES[1:]}
    if not last[name].is_dir():
        measured = [each for each in cfg.evaluation.models if each not in last or last[each].is_dir()]
        raise ConfigError(
            f"evaluation.models: {folder} is missing; run python -m {name} first, "
            f"or measure what is there: evaluation.models=[{','.join(measured)}]"
        )
    check_trained(folder, cfg.model)
    return folder


def _say_too_long(chats: list[Chat], tokenizer, cfg: Config) -> None:
    """Say how many prompts leave too little room for an answer: a backend may cut them, and they score low."""
    from models.template import prompt_ids

    room = cfg.model.max_length - cfg.evaluation.max_new_tokens
    if over := sum(len(prompt_ids(tokenizer, chat)) > room for chat in chats):
        say(f"  {over} of {len(chats)} prompts are longer than model.max_length − evaluation.max_new_tokens = {room}")
