"""Settings of every test: one thread, hypothesis profiles, no warning that users would see."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: see docs/performance.md

import hypothesis
import pytest
import torch

# `default` is what plain `pytest` runs; `thorough`, chosen by COMPOSER_PROFILE, has the large numbers.
PROFILES = {"default": 25, "thorough": 300}
PROFILE = os.environ.get("COMPOSER_PROFILE", "default")

for name, examples in PROFILES.items():
    hypothesis.settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,
        derandomize=name == "default",
        suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
    )
hypothesis.settings.load_profile(PROFILE)
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def thorough() -> bool:
    """Whether the large numbers are asked for."""
    return PROFILE == "thorough"
