"""What must hold before Flux works on a cluster: read by workers, judged from rows."""
