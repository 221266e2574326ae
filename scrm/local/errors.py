"""What can go wrong on a local machine, told in one line."""


class LocalError(Exception):
    """A local service cannot do its work; the message is one line meant for the person at the terminal."""
