"""Does the chat template let a model learn the answer form, and where to stop?"""

from jinja2 import TemplateError

from configs.errors import ConfigError
from tasks.trace import TAGS, render

_ANSWER_TAKEN = (
    "{%- if messages[-1]['role'] == 'assistant' %}{%- set answer_as_given = messages[-1]['content'] %}"
    "{%- set messages = messages[:-1] %}{%- set add_generation_prompt = true %}{%- endif %}"
)
_ANSWER_GIVEN = "{%- if answer_as_given is defined %}{{ answer_as_given + eos_token + '\n' }}{%- endif %}"
_PROBE = [{"role": "system", "content": "Plan."}, {"role": "user", "content": "How many?"}]


def prompt_text(tokenizer, messages: list[dict[str, str]]) -> str:
    """Return the prompt as the model reads it, up to where its answer begins."""
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def prompt_ids(tokenizer, messages: list[dict[str, str]]) -> list[int]:
    """Return the tokens of the prompt, as many as the model reads."""
    return tokenizer(prompt_text(tokenizer, messages), add_special_tokens=False)["input_ids"]


def with_answers_as_given(template: str) -> str:
    """Return the template with the last answer written as it stands behind its prompt, then the end token.

    Qwen3's hybrid models (Qwen3-8B, no date in the name) take an answer apart at </think> and write it anew: with
    another blank line, and with empty thinking before an answer that has none, which then is no `sql_only` any more.
    Templates that leave thinking alone stay as they are.

    >>> with_answers_as_given("{{ messages[0]['content'] }}")
    "{{ messages[0]['content'] }}"
    """
    if "</think>" not in template or template.startswith(_ANSWER_TAKEN):
        return template
    return _ANSWER_TAKEN + template + _ANSWER_GIVEN


def check_template(tokenizer) -> None:
    """Raise ConfigError for a template with which training on answers would teach the wrong thing.

    Five things go wrong in the field: the prompt is no prefix of the whole conversation (the loss then starts
    in the wrong place), the template opens <think> itself (the answer then lacks it), it takes the thinking out
    of the answer, no end token follows the answer (the trained model never stops), and the tokenizer counts a tag
    among its special tokens (it is then missing from every answer that is read).
    """
    if not tokenizer.chat_template:
        raise ConfigError(f"{tokenizer.name_or_path}: no chat template; take the model's -Instruct release")
    answer = render("Count.", "SELECT count(*) FROM t")
    try:
        prompt = prompt_text(tokenizer, _PROBE)
        whole = tokenizer.apply_chat_template([*_PROBE, {"role": "assistant", "content": answer}], tokenize=False)
    except TemplateError as error:
        raise ConfigError(f"{tokenizer.name_or_path}: its chat template refuses our prompt: {error}") from error
    if not whole.startswith(prompt):
        raise ConfigError(f"{tokenizer.name_or_path}: its chat template changes the prompt once an answer follows")
    if "<think>" in prompt:
        raise ConfigError(
            f"{tokenizer.name_or_path}: its chat template opens <think> itself; take a non-thinking release"
        )
    read = tokenizer.decode(tokenizer(answer, add_special_tokens=False)["input_ids"], skip_special_tokens=True)
    if lost := [tag for tag in TAGS if tag not in read]:
        raise ConfigError(f"{tokenizer.name_or_path}: its tokenizer leaves {lost[0]} out of what is said, as special")
    behind = whole.removeprefix(prompt)
    if not behind.startswith(answer):
        raise ConfigError(
            f"{tokenizer.name_or_path}: its chat template changes the answer; take a non-thinking release"
        )
    if not behind.removeprefix(answer).strip().startswith(tokenizer.eos_token):
        raise ConfigError(f"{tokenizer.name_or_path}: its chat template puts no {tokenizer.eos_token} after an answer")
