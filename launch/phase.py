"""Train one stage of the curriculum.

accelerate launch launch/phase.py [--help | --help-all] ...
"""

from dist_vad.cli.phase import main

if __name__ == "__main__":
    main()
