"""Every op, and small residual networks, held against the slopes of their own forward: `tinyres gradcheck`."""
