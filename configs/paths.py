"""Where planql keeps what can be made again: converted models, built databases."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the cache folder: $PLANQL_CACHE, or ~/.cache/planql.  It may not exist yet."""
    return Path(os.environ.get("PLANQL_CACHE") or Path.home() / ".cache" / "planql")
