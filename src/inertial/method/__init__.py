"""Methods and flows as coefficients, what a mode does under them, and rules that choose them."""
