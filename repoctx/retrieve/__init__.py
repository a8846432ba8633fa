"""What matters for this query?"""
