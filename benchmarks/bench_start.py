"""How long until something happens: importing photosite, and `photosite --help`, in fresh processes.

The peer is the nearest thing that cannot be avoided: `import numpy` for the import, an empty Python for the help.
"""

from __future__ import annotations

import subprocess
import sys

from harness import compare, publish


def _python(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Measure and publish."""
    publish(
        "start",
        [
            compare(
                "import photosite",
                "import numpy",
                lambda: _python("-c", "import photosite"),
                lambda: _python("-c", "import numpy"),
            ),
            compare(
                "photosite --help",
                "python -c pass",
                lambda: _python("-m", "photosite", "--help"),
                lambda: _python("-c", "pass"),
            ),
        ],
        notes="wanted: import at most 150 ms, help at most 250 ms; fresh processes, files in the cache",
    )


if __name__ == "__main__":
    main()
