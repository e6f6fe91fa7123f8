"""Planning a cluster across regions: whom to let coordinate, which quorum to pin, and what each region then waits."""

from genpaxos.plan.plans import Plan, Recommendation, recommend
from genpaxos.plan.rtt import RoundTrips, RttError, parse_rtt, read_rtt

__all__ = ["Plan", "Recommendation", "RoundTrips", "RttError", "parse_rtt", "read_rtt", "recommend"]
