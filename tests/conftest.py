"""How the tests run: one thread of torch, and two profiles of hypothesis, chosen by COMPOSER_PROFILE."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: see docs/performance.md

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

# Graphs and networks take a while to make, and to train: neither is a flaw of a test.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("default", max_examples=25, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("thorough", max_examples=200, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.load_profile(os.environ.get("COMPOSER_PROFILE", "default"))
