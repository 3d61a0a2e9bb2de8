"""What holds for every floor."""

import signal

# A shell that starts a job in the background has it ignore Ctrl-C, and whatever it starts inherits
# that: tests that press it would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
