"""What can go wrong while the embedded stack starts."""


class LocalStackError(RuntimeError):
    """The embedded stack cannot do what was asked; the message says why and what to do."""


class MissingProgram(LocalStackError):
    """A program that the stack needs is not installed; one sentence says what to install."""


class StartFailed(LocalStackError):
    """A server or a service died, or did not answer in time; the message ends with its log's tail."""


class PortInUse(StartFailed):
    """The port belongs to another program already."""
