"""Record the committed case anew: python tests/record_parity_case.py

It is what a loop written by hand in plain torch did (tests/recorders/paired.py), so that `tools/parity.py` can be
tried where the traces of the authors' code are not at hand.
"""

from __future__ import annotations

from pathlib import Path

import torch
from recorders import paired

CASES = Path(__file__).parent / "parity" / "cases"
SMALL = {
    "ngf": 1, "ndf": 1, "netD": "n_layers", "n_layers_D": 1, "input_nc": 1, "output_nc": 1, "batch_size": 1,
    "direction": "BtoA", "gan_mode": "lsgan",
}  # fmt: skip

if __name__ == "__main__":
    torch.set_num_threads(1)
    print(paired.record(CASES / "pix2pix" / "by_hand", **SMALL))
