"""What holds for every floor."""

import signal

import hypothesis

# A shell that starts a job in the background has it ignore Ctrl-C, and whatever it starts inherits
# that: tests that press it would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine takes any time for an example.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")
