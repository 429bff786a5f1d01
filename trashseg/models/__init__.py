"""Networks, losses, optimisers and schedules by name."""
