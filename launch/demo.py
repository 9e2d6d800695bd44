"""From raw video to AUC and report in one command, each of the four steps shown as it goes. `make demo` calls it.

accelerate launch launch/demo.py [--config FILE] [--dotted.overrides ...]
"""

from dist_vad.cli.demo import main

if __name__ == "__main__":
    main()
