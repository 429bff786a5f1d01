"""From files to training samples: COCO, masks, folds, synthetic images, transforms."""
