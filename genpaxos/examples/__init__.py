"""Machines to try things with: a bank and registers. The simulator, the demo and the documentation use them too."""
