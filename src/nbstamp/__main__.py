"""``python -m nbstamp`` is the command ``nbstamp``."""

from nbstamp.cli import main

main(prog_name="nbstamp")
