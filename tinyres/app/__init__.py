"""The application: runs and their folders, weights from outside, prediction, export, and the command line."""
