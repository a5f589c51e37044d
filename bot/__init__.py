"""The daemon: owns time, disk and people's settings, and names no concrete channel or provider."""
