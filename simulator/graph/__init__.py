"""Azure Resource Graph: the part of its query language that portals and dashboards use."""
