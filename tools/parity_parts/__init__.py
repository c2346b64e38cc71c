"""Replaying recorded traces of other people's code: reading a case, naming things, running it, comparing."""
