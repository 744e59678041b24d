"""What comes in: feeds that are played, vendors that are listened to, and the checks on entry."""
