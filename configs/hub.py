"""The Hugging Face hub: is the token taken, and what went wrong in one line, without the token."""

from collections.abc import Iterator
from contextlib import contextmanager

from configs.errors import ConfigError
from configs.screen import printable


def check_hub(option: str, repo: str) -> None:
    """Raise ConfigError where the hub can't be reached, doesn't take the token, or `repo` is no name.

    option: that `repo` was given by, as the messages call it.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils import validate_repo_id

    if get_token() is None:
        raise ConfigError(f"{option}: there is no Hugging Face token; set HF_TOKEN, or run `hf auth login`")
    with one_line(f"{option} {repo}"):
        validate_repo_id(repo)
        HfApi().whoami()


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn what goes wrong between us and the hub into one line for the user, without the token."""
    from httpx import HTTPError, InvalidURL
    from huggingface_hub import get_token

    try:
        yield
    except (OSError, HTTPError, InvalidURL, RuntimeError, ValueError) as error:
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        text = " ".join(printable(str(cause) or type(cause).__name__).split())
        text = text.replace(get_token() or "\0", "…")
        raise ConfigError(f"{what}: {text[:400]}; nothing is lost: mend this and give the same command again") from None
