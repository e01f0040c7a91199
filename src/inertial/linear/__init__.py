"""Kernels and what is known of their spectra."""
