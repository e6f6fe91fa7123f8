"""``python -m genpaxos``."""

from genpaxos.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
