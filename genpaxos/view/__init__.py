"""Terminal views: plain snapshots in, rich renderables and text exports out.

Nothing here opens a socket, reads a file or looks at a clock. A view is a pure function of its snapshot:

- `genpaxos.view.graph`: the stable command graph, its levels, its transitive reduction and its exports
- `genpaxos.view.heap`: the graph drawn as a heap of pieces
- `genpaxos.view.cluster`: what the replicas report, and whether there is a quorum
- `genpaxos.view.status`: the same as a table, a row per replica
- `genpaxos.view.dashboard`: the live demo on one screen, and in one line for pipes
- `genpaxos.view.verdict`: the checks a run ends with

Text that came from users is never read as markup and never reaches the terminal raw (`genpaxos.view.label`).
"""
