"""A merged export as a model of the Hugging Face hub: all its files in one commit."""

from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_json
from configs.hub import one_line
from configs.screen import say
from models.card import card
from models.export import Wanted, passed
from models.trained import ACCOUNT, kind


def push(made: Wanted, folder: Path, repo: str, private: bool) -> None:
    """Send what is in `folder` to the model `repo`, which is made where there is none; not what failed its proof."""
    from huggingface_hub import CommitOperationAdd, HfApi

    account = read_json(folder / ACCOUNT)
    if not passed(account["proof"]):
        raise ConfigError(f"--repo {repo}: {folder} doesn't answer as its {kind(made.cfg.model)}, so it is not sent")
    hub = HfApi()
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "README.md")
    with one_line(f"--repo {repo}"):
        made_there = hub.create_repo(repo, private=private or None, exist_ok=True)
        page = card(made, account, made_there.repo_id).encode()
        hub.create_commit(
            made_there.repo_id,
            [CommitOperationAdd(path.name, path) for path in files] + [CommitOperationAdd("README.md", page)],
            commit_message=f"{made.cfg.name}: {made.stage}, merged in {account['dtype']}",
        )
    say(f"models: {folder} → {made_there}")
