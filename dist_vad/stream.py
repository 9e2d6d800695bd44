"""The old name of `dist_vad.cli.explain`: python -m dist_vad.stream explain --step N."""

from dist_vad.cli.explain import main

if __name__ == "__main__":
    main()
