"""From a model folder to answers: prediction, TTA, ensemble, CRF, pseudo labels."""
