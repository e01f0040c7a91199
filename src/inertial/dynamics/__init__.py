"""Methods as data; what they do to a finite network, to its linearisation, and to a mode."""
