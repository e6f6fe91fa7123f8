"""How a machine is checked against what it says of itself; :func:`commutativity.check.check` puts it together.

- What is tried: ``scope``, ``samples``: small values; ``beyond``, ``pools``, ``harvest``, ``spelling``, ``names``: more
- What it is tried on: ``pairs``, ``trial``, ``travel``; ``outside``, ``statics``: what it must not touch
- The parts: ``survey``: all of a small scope · ``search``: at random · ``capacity``: at limits · ``lives``: over time
  · ``seeds`` (with ``definitions``): in other processes · ``clock``: how long they may take
- What is found: ``fault``, ``report``
"""
