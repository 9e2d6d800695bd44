"""From cubes to calibrated anomaly scores of objects, by normal video alone."""
