"""Small folders of pictures and the streams that read them, for the tests of the data pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from composer.data import Field, Stream
from PIL import Image

