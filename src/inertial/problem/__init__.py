"""The network, its kernel and the kernel's spectrum."""
