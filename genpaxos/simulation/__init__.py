"""The same core under a seeded virtual network, disk and clock, and the checkers of what comes out.

Nothing the server runs imports this package.
"""
