"""More than one process, and more than one kernel a launch: ranks that share a batch, and captured steps."""
