"""What is measured, against what: ratios of contenders on the same server in the same run."""
