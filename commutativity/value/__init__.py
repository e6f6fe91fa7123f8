"""Values that travel: which types there are, and how each is written as JSON (docs/values.md).

- ``values``: what an operation's parameters may be · ``value_types``, ``annotations``: the types, read from annotations
- ``converters`` (of ``scalars``, ``records``, ``unions``, ``plain_json``): what :mod:`commutativity.codec` compiles
- ``open_form``: values of no declared type · ``resources``: values as names · ``json_text``: canonical bytes
"""
