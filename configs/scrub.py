"""What is published, without what is nobody's business: local paths, the teacher's address and its options."""

import re

_PATH = re.compile(r"(?<![\w.:/~-])[~.]{0,2}/(?:[^\s/'\"]+/)+([^\s/'\"]+)")
HIDDEN = {"base_url", "api_key_env", "options"}


def scrubbed(value: object) -> object:
    """Return a JSON value without local paths, of which the last name stays, and without the teacher's address.

    >>> scrubbed({"left out": {"too near /home/ann/dev.json": 3}, "base_url": "http://10.0.0.7/v1"})
    {'left out': {'too near dev.json': 3}}
    >>> scrubbed(["and/or", "https://a.org/b/c"])
    ['and/or', 'https://a.org/b/c']
    """
    if isinstance(value, dict):
        return {scrubbed(key): scrubbed(inner) for key, inner in value.items() if key not in HIDDEN}
    if isinstance(value, list):
        return [scrubbed(inner) for inner in value]
    return _PATH.sub(r"\1", value) if isinstance(value, str) else value
