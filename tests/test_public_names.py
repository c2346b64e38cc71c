"""The public surface is a value: a new name is a decision, and reaches the docs."""

from __future__ import annotations

import subprocess
import sys

import composer


def test_the_package_offers_exactly_these_names() -> None:
    assert sorted(composer.__all__) == ["ComposeError", "Range", "__version__", "block", "check", "compile", "load"]
    assert all(hasattr(composer, name) for name in composer.__all__)


def test_a_check_does_not_import_torch() -> None:
    code = "import sys, composer; composer.check('unit', preset='demo'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
