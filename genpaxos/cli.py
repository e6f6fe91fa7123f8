"""Temporary."""
import signal, sys
def main(argv=None):
    from genpaxos.runtime.server import Server
    from genpaxos.runtime.config import ClusterConfig
    argv = argv or sys.argv[1:]
    s = Server(ClusterConfig.load(argv[1]), int(argv[2]))
    signal.signal(signal.SIGTERM, lambda *_: s.stop())
    s.run()
    return 0
