"""Starts the emulator, or uses one that runs, from the command line."""

from emulator.command import main

if __name__ == "__main__":
    main(prog_name="python -m emulator")
