"""What do people see? Web pages: each asks what the routes ask, and shows it."""
