"""The types in TypeScript and Python are what the schemas say: python -m unittest"""

import subprocess
import sys
import unittest
from pathlib import Path


class Types(unittest.TestCase):
    def test_the_generated_types_are_what_the_schemas_say(self):
        script = Path(__file__).parents[2] / "schemas" / "generate.py"
        checked = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)


if __name__ == "__main__":
    unittest.main()
