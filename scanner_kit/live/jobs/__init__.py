"""Scheduled scanners at work, and the processes in which their own code runs."""
