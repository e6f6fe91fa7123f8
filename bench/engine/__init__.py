"""What is measured of the engine: its own figures, and beside peers where there are some.

``steady`` ``interference`` ``recovery``: under load · ``growth`` ``growth_points``: over a long run · ``dimensions``:
over resources, replicas, size · ``snapshot``: how long one holds a replica up
"""
