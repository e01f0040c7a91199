"""Models, losses and problems: what is trained, and on which rows."""
