"""A cluster's Kubernetes API: how it is reached, what is read of it, and the one thing written.

Only workers come here with the network; pages show what they brought.
"""
