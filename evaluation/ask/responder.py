"""The model in memory, or its server, ready to answer one chat after the other."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass

from configs.errors import ConfigError
from configs.evaluation_schema import Server
from evaluation.ask.source import Source
from models.environment import prepare
from models.said import Answer
from tasks.page import one_line

Chat = list[dict[str, str]]


@dataclass(frozen=True)
class Responder:
    """answer: of a chat, greedily.  tokens: of a chat as the model reads it.  room: for the chat, tokens."""

    answer: Callable[[Chat], Answer]
    tokens: Callable[[Chat], int]
    room: int


def load(source: Source) -> Responder:
    """Return what answers for `source`."""
    if source.server:
        return _served(source, source.server)
    with redirect_stdout(sys.stderr):  # Unsloth greets on stdout, which is for data
        return _local(source)


def _local(source: Source) -> Responder:
    prepare(source.cfg)
    import torch
    from jinja2 import TemplateError

    from models.answer import answers
    from models.load import load_model, load_trained, ready_to_answer
    from models.template import prompt_text

    cfg = source.cfg.model
    if "model.dtype" in source.open:
        cfg = cfg.model_copy(update={"dtype": "bfloat16" if torch.cuda.is_available() else "float32"})
    try:
        model, tokenizer = load_model(cfg)
    except ConfigError:
        raise
    except ValueError as error:  # transformers' word for files of no model that it knows
        raise ConfigError(f"{cfg.name}: {one_line(str(error), 300)}") from None
    if not tokenizer.chat_template:
        raise ConfigError(f"{cfg.name}: no chat template; take the model's -Instruct release")
    length = cfg.max_length
    if "model.max_length" in source.open:
        length = model.config.get_text_config().max_position_embeddings
    if source.trained:
        model = load_trained(model, source.trained, cfg, seed=source.cfg.seed)
    ready_to_answer(model, cfg)
    longest = source.cfg.evaluation.max_new_tokens

    def answer(chat: Chat) -> Answer:
        [[(_, said)]] = answers(model, tokenizer, [chat], max_new_tokens=longest, batch_size=1)
        return said

    def tokens(chat: Chat) -> int:
        try:
            text = prompt_text(tokenizer, chat)
        except TemplateError as error:
            raise ConfigError(f"{cfg.name}: its chat template refuses this: {one_line(str(error), 300)}") from None
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return Responder(answer, tokens, length - longest)


def _served(source: Source, server: Server) -> Responder:
    from models.served import served_answers
    from models.server import check_server, key_of

    check_server(server.base_url, key_of(server), server.api_key_env, "server")
    longest = source.cfg.evaluation.max_new_tokens

    def answer(chat: Chat) -> Answer:
        [[(_, said)]] = served_answers(server, [chat], max_new_tokens=longest, batch_size=1)
        if said.trouble:
            raise ConfigError(f"{server.base_url}: {said.trouble}")
        return said

    return Responder(answer, characters_in_tokens, source.cfg.model.max_length - longest)


def characters_in_tokens(chat: Chat) -> int:
    """Return about how many tokens a chat has whose tokenizer is elsewhere, rather too many: three characters each.

    >>> characters_in_tokens([{"role": "user", "content": "Which cities are in Norway?"}])
    9
    """
    return sum(len(message["content"]) for message in chat) // 3
