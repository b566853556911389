"""A section for test_worker.py, whose items fail in different ways."""

import os

NOISE = "a library says something"


class Section:
    def __init__(self, labels):
        self.labels = labels
        if "no section" in labels:
            raise OSError("there is no such card")

    def measure(self, label):
        print(NOISE, flush=True)
        if label.startswith("raises"):
            raise ValueError(f"what {label} is not right")
        if label == "ends":
            os._exit(3)
        if label == "is killed":
            os.kill(os.getpid(), 9)
        return {"process": os.getpid()}
