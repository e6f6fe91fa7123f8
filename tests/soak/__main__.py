"""``python -m tests.soak``: see ``make soak``."""

from tests.soak.show import main

raise SystemExit(main())
