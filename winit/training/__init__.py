"""Train the runs of one workload: draw, calibrate, pretrain, train, measure."""
