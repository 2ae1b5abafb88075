"""A stand-in for Azure and the clusters behind it, so that Fluxgate runs without a subscription.

Start it with ``python -m simulator --data DIR`` or inside a test with
``simulator.inprocess.create_simulator``. Nothing here knows of the portal.
"""
