"""What every section of a config has in common."""

from pydantic import BaseModel


class Strict(BaseModel, extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True):
    """A typo in a YAML key is an error, not a default."""
