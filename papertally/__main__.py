"""python -m papertally: the same as the command `papertally`."""

from papertally.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
