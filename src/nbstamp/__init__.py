"""nbstamp: from a click in a data portal to a notebook in the user's own Jupyter."""

__version__ = "0.1.0"
