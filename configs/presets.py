"""Sets of rewards by name: configs/rewards/NAME.yaml, so that one word in `rl.rewards` swaps them all."""

from difflib import get_close_matches
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent / "rewards"


def names() -> list[str]:
    """Return the names of all presets."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_preset(name: str) -> list[dict]:
    """Return the rewards of a preset, as a YAML would list them; ValueError for a name that there is not."""
    if name not in names():
        close = get_close_matches(name, names(), n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"no preset {name!r}{hint}; there are: {', '.join(names())}; or list them: [{{name: …}}]")
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
