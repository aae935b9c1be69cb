"""The one error of planql's users: something they gave is wrong, and they can mend it."""


class ConfigError(ValueError):
    """A config, file or dataset is unusable; the text says what, where, what is allowed and the cure.

    The stages print it as one line and exit with status 2, before anything heavy is loaded.
    """
