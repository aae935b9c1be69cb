"""`python -m distill CONFIG --push REPO`: the traces, their account and a card, as a dataset of the Hugging Face hub.

Everything goes in one commit, so that a push that fails leaves the dataset as it was.  The token comes from the
environment (HF_TOKEN) or from `hf auth login`; huggingface_hub puts it into a header, and it goes nowhere else.
"""

import json
import re
from collections import Counter
from pathlib import Path

from configs.errors import ConfigError
from configs.files import read_json, read_jsonl
from configs.folder import STATE
from configs.hub import check_hub, one_line
from configs.schema import Config
from configs.screen import say
from configs.scrub import scrubbed
from distill.card import card, file_of
from distill.parquet import to_parquet


def distill_and_push(cfg: Config, fresh: bool, push: str | None, private: bool, dry_run: bool = False) -> Path:
    """Return the stage's folder once it is finished and, with `push`, sent to that dataset.

    That the hub takes the token is tried before anything is paid for.
    """
    if private and not push:
        raise ConfigError("--private: of which dataset? it goes with --push REPO")
    if push:
        check_hub("--push", push)
    from distill.run import distill

    folder = distill(cfg, fresh, dry_run)
    if push and not dry_run:
        publish(cfg, folder, push, private)
    return folder


def publish(cfg: Config, folder: Path, repo: str, private: bool = False) -> None:
    """Send what is in the stage's folder to the dataset `repo`, which is made where there is none."""
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()  # a few megabytes
    splits = _splits(read_jsonl(folder / "traces.jsonl"))
    if not splits:
        raise ConfigError(f"--push {repo}: {folder / 'traces.jsonl'} is empty, there is nothing to send")
    stats, commit = scrubbed(read_json(folder / "stats.json")), read_json(folder / STATE)["commit"] or ""
    rejects = Counter(row["reason"] for row in read_jsonl(folder / "rejected.jsonl"))
    files = dict(zip(map(file_of, splits), to_parquet(list(splits.values())), strict=True))
    files["stats.json"] = json.dumps(stats, indent=2, ensure_ascii=False).encode()
    hub = HfApi()
    with one_line(f"--push {repo}"):
        made = hub.create_repo(repo, repo_type="dataset", private=private or None, exist_ok=True)
        files["README.md"] = card(cfg, made.repo_id, splits, rejects, stats, commit).encode()
        hub.create_commit(
            made.repo_id,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=f"{sum(map(len, splits.values())):,} traces of {cfg.name}",
            repo_type="dataset",
        )
    say(f"distill: {sum(map(len, splits.values())):,} traces → {made}")


def _splits(rows: list[dict]) -> dict[str, list[dict]]:
    """Return the rows by split, train first, with the names of database and teacher in the place of paths."""
    splits: dict[str, list[dict]] = {}
    for row in sorted(rows, key=lambda row: row["split"] != "train"):
        name = re.sub(r"\W", "_", row["split"])
        public = {"database": Path(row["database"]).stem, "teacher": scrubbed(row["teacher"])}
        splits.setdefault(name, []).append(row | public)
    return splits
