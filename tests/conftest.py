"""How the tests run: one thread of torch, and two profiles of hypothesis, chosen by COMPOSER_PROFILE."""

from __future__ import annotations

import os
import signal

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: see docs/performance.md

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

# Where the tests are started in the background, signals are ignored, and so they would be in the processes that the
# tests start and interrupt. A handler is not inherited.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# Graphs and networks take a while to make, and to train: neither is a flaw of a test.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("default", max_examples=25, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("thorough", max_examples=200, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("COMPOSER_PROFILE", "default"))
