"""The one error of planql's users, something they gave that is wrong; and the end of a stage that was told to stop."""


class ConfigError(ValueError):
    """A config, file or dataset is unusable; the text says what, where, what is allowed and the cure.

    The stages print it as one line and exit with status 2, before anything heavy is loaded.
    """


class Stopped(KeyboardInterrupt):
    """SIGTERM, which a spot instance sends before it goes: what was done is saved, the same command goes on.

    The stages print that line and exit with status 143, as a shell says of a process that SIGTERM ended.
    """
