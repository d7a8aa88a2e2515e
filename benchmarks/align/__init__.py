"""The aligner measured: constructed sessions, data of others, peers, calibration, tuning."""
