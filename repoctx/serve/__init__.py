"""Who is asking? The front ends: each parses, calls one workspace method, and shows the answer."""
