"""Runs of a method: on the network, in the linearised model, as a flow."""
