"""The error that the commands raise on purpose."""


class PipelineError(Exception):
    """Something could not be tried; the message names it and the fix in one sentence.

    The command line prints the message in red on stderr and exits 2.
    """
