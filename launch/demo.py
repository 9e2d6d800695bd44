"""From raw video to AUC and report in one command.

accelerate launch launch/demo.py [--help | --help-all] ...
"""

from dist_vad.cli.demo import main

if __name__ == "__main__":
    main()
