"""Faults and latency on demand."""
