"""Published documents: a results release or a filing becomes rows, or is refused with the reason."""
