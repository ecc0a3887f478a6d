#!/usr/bin/env python3
"""Keeps what the fuzzers found: fuzz/corpus, minimised by `cargo fuzz cmin`, becomes fuzz/seeds, a line of base64 an input.

What fuzz/seed.py makes of the reference webhooks is not kept a second time, nor what is longer than 512 bytes.
"""

import base64
import sys
from pathlib import Path

import seed

FUZZ = Path(__file__).resolve().parent
LONGEST = 512


def main() -> None:
    made = seed.seeds()
    for folder in sorted((FUZZ / "corpus").iterdir()):
        if sys.argv[1:] and folder.name not in sys.argv[1:]:
            continue
        inputs = {file.read_bytes() for file in folder.iterdir()} - made[folder.name]
        lines = sorted(base64.b64encode(one).decode() for one in inputs if 0 < len(one) <= LONGEST)
        (FUZZ / "seeds").mkdir(exist_ok=True)
        (FUZZ / "seeds" / f"{folder.name}.txt").write_text("".join(f"{line}\n" for line in lines))
        print(f"{folder.name}: {len(lines)} of {len(inputs)} inputs")


if __name__ == "__main__":
    main()
