"""Train one stage of the curriculum, from its parent's state to a state of its own.

accelerate launch launch/phase.py [--config FILE] [--phase NAME] [--dotted.overrides ...]
"""

from dist_vad.cli.phase import main

if __name__ == "__main__":
    main()
