"""Is there one order of the clients' calls that explains every result and keeps real time?

- ``checker``: the question, split by resources, and the answers combined
- ``search``: one part: every order that could explain it · ``states``: what the machine says to each step of one
- ``verdict``: what is asked and what is answered
"""

from genpaxos.linearizability.checker import STEPS_MAX, check_linearizable
from genpaxos.linearizability.states import Specification
from genpaxos.linearizability.verdict import Call, Culprit, Failed, Rival, Verdict

__all__ = ["STEPS_MAX", "Call", "Culprit", "Failed", "Rival", "Specification", "Verdict", "check_linearizable"]
