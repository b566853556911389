"""Pictures put before a trained network: what it takes them for, and a picture of that."""

from tinyres.app.prediction.picture import draw_predictions
from tinyres.app.prediction.predict import Prediction, predict

__all__ = ["Prediction", "draw_predictions", "predict"]
