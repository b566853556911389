"""Classifies pictures with a trained network, and draws the result."""

from tinyres.app.prediction.picture import draw_predictions
from tinyres.app.prediction.predict import Prediction, predict

__all__ = ["Prediction", "draw_predictions", "predict"]
