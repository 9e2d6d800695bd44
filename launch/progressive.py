"""Train the whole curriculum, stage after stage.

accelerate launch launch/progressive.py [--help | --help-all] ...
"""

from dist_vad.cli.progressive import main

if __name__ == "__main__":
    main()
