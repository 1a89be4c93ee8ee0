"""Published documents: a release or a filing becomes rows, or is refused with the reason."""
