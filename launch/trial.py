"""The old name of launch/validate.py."""

from dist_vad.cli.validate import main

if __name__ == "__main__":
    main()
