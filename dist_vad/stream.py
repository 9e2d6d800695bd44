"""The old name of `dist-vad explain`: python -m dist_vad.stream explain --step N."""

import sys

from dist_vad.cli.explain import main

if __name__ == "__main__":
    if sys.argv[1:2] == ["explain"]:
        del sys.argv[1]
    main()
